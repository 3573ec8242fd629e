/** Passes TLS connections of programs that know no proxy on to the server they name, unopened. */
import { createServer, type Server, type Socket } from 'node:net';
import { readHello } from './client-hello.ts';
import type { DenialLog } from './denials.ts';
import { type Reach, splice } from './reach.ts';

const port = 443;
/** Milliseconds for the first message. */
const patience = 15_000;
const maxConnections = 1024;

/** A fatal alert (RFC 8446 §6): `access_denied`, `internal_error`. */
const alertOf = (description: 49 | 80) => Buffer.from([21, 3, 1, 0, 2, 2, description]);

export function tlsGate(reach: Reach, denials: DenialLog): Server {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on('error', () => client.destroy());
    client.setTimeout(patience, () => client.destroy());
    let seen = Buffer.alloc(0);
    client.on('data', function look(chunk: Buffer) {
      seen = Buffer.concat([seen, chunk]);
      const hello = readHello(seen);
      if (hello.kind === 'incomplete') return;
      client.off('data', look);
      client.pause();
      client.setTimeout(0);
      const name = hello.kind === 'complete' ? hello.name : undefined;
      if (name !== undefined) {
        void passOn(client, seen, name, reach);
        return;
      }
      denials.add('unnamed', port, 'no-name');
      client.end(alertOf(49));
    });
  });
  server.maxConnections = maxConnections;
  return server;
}

async function passOn(client: Socket, seen: Buffer, name: string, reach: Reach): Promise<void> {
  const reached = await reach(name, port);
  if (reached.kind !== 'connected') {
    client.end(alertOf(reached.kind === 'denied' ? 49 : 80));
    return;
  }
  reached.socket.write(seen);
  splice(client, reached.socket);
}
