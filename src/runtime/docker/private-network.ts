/**
 * The network of one container with an allowlist: the container and its gateway are on it, nobody else, and it leads
 * nowhere. The host is not on it either: engines give its end of a bridge an address, also of an "internal" one, and then
 * every service of the host can be reached; told not to, they leave it without (`inhibit_ipv4`). The gateway checks that.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';

export const addressesSchema = z.object({
  subnet: z.string(),
  /** What the engine takes for the host's; nobody has it. */
  engine: z.string(),
  gateway: z.string(),
  container: z.string(),
});
export type Addresses = z.infer<typeof addressesSchema>;

/** 198.18.0.0/15 is for benchmarks (RFC 2544): in nobody's network. A /29 has the three addresses needed. */
const subnets = 2 ** 14;
/** How many are tried. Each network of ours occupies one. */
const attempts = 64;

/** Taken ones are found out by trying, in an order of the name's own. One of that name that was left over is replaced. */
export async function makeNetwork(
  engine: Engine,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<Addresses> {
  await removeNetwork(engine, name);
  const start = createHash('sha256').update(name).digest().readUInt16BE(0);
  return engine.call({ failed: `The network ${name} could not be made` }, 120, async (docker, abortSignal) => {
    for (let attempt = 1; ; attempt += 1) {
      const addresses = addressesOf((start + attempt * 7919) % subnets);
      try {
        const request = networkRequest(name, addresses, labels);
        await docker.createNetwork({ ...request, ...(abortSignal === undefined ? {} : { abortSignal }) });
        return addresses;
      } catch (error) {
        // The subnet is taken: 403 from Docker 20 on, 400 from newer ones.
        if (![400, 403].includes(statusOf(error) ?? 0) || attempt >= attempts) throw error;
      }
    }
  });
}

function networkRequest(name: string, { subnet, engine }: Addresses, labels: Readonly<Record<string, string>>) {
  return {
    Name: name,
    CheckDuplicate: true,
    Driver: 'bridge',
    Internal: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Config: [{ Subnet: subnet, Gateway: engine }] },
    Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
    Labels: { ...labels },
  };
}

function addressesOf(index: number): Addresses {
  const first = index * 8;
  const at = (offset: number) => `198.${18 + (first >> 16)}.${(first >> 8) & 255}.${(first & 255) + offset}`;
  return { subnet: `${at(0)}/29`, engine: at(1), gateway: at(2), container: at(3) };
}

/** Removing what is gone is no error. */
export async function removeNetwork(engine: Engine, name: string): Promise<void> {
  await engine.call({ failed: `The network ${name} could not be removed` }, 60, async (docker, abortSignal) => {
    try {
      await docker.getNetwork(name).remove(abortSignal === undefined ? {} : { abortSignal });
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  });
}

const summarySchema = z.array(z.object({ Name: z.string() }));

export async function networksWith(engine: Engine, filters: string): Promise<readonly string[]> {
  const said = await engine.get(`/networks?filters=${filters}`, { failed: 'Networks could not be listed' });
  return summarySchema.parse(said).map(({ Name }) => Name);
}
