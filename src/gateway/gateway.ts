/** The gateway of a container: an HTTP proxy, plain HTTP and TLS by name for programs that know none, and DNS. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { type GatewayConfiguration, proxyPort, type Told } from './configuration.ts';
import { denialLog } from './denials.ts';
import { datagramServer, streamServer } from './dns.ts';
import { httpProxy } from './http.ts';
import { systemLookup } from './lookup.ts';
import { makePolicy } from './policy.ts';
import { makeReach } from './reach.ts';
import { tlsGate } from './tls.ts';

export async function runGateway(configuration: GatewayConfiguration): Promise<void> {
  const { address, engine, allow, own } = configuration;
  if (await hasNeighbour(address, engine)) {
    tell({ failed: 'the engine puts the host on the network of the environment' });
    process.exitCode = 0;
    return;
  }
  const policy = makePolicy({ allow, own: () => [...own, ...interfaceAddresses()] }, systemLookup);
  const denials = denialLog((denied) => tell({ denied }));
  const reach = makeReach(policy, denials);
  const names = datagramServer({ policy, denials, address });
  names.bind(53, address);
  await Promise.all([
    once(names, 'listening'),
    listen(streamServer({ policy, denials, address }), address, 53),
    listen(httpProxy({ reach }), address, proxyPort),
    listen(httpProxy({ reach, transparentPort: 80 }), address, 80),
    listen(tlsGate(reach, denials), address, 443),
  ]);
  tell({ ready: true });
}

/** A broken pipe of the log must not end what keeps the network closed and open. */
process.stdout.on('error', () => undefined);

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  server.listen(port, address);
  await once(server, 'listening');
}

export function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));
}

/** Milliseconds: a neighbour on a virtual network answers at once. */
const patience = 250;

/**
 * Whether anybody answers to this address on the environment's network. Engines give it to the host unless told not to;
 * then every service of the host would be in reach, with no regard to the list.
 */
async function hasNeighbour(own: string, address: string): Promise<boolean> {
  const socket = createSocket('udp4');
  socket.bind(0, own);
  await once(socket, 'listening');
  // The discard port; what matters is that the kernel has to ask who has the address (ARP).
  socket.on('error', () => undefined);
  socket.send('', 9, address);
  await pause(patience);
  socket.close();
  const table = await readFile('/proc/net/arp', 'latin1');
  const row = table.split('\n').find((line) => line.startsWith(`${address} `));
  // Flag 2: somebody answered (linux/if_arp.h, ATF_COM).
  return row !== undefined && (Number(row.trim().split(/\s+/)[2]) & 2) !== 0;
}
