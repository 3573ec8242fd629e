/**
 * The network of one container with an allowlist: the container and its gateway are on it, nobody else, and it leads
 * nowhere. Nor is the host on it. On a bridge it would be: engines give the host's end an address, also of an "internal"
 * one, and without an address it still takes broadcasts, from which a name server of the host makes a way out. So the two
 * are joined by macvlan, whose members never reach the device they sit on (docs.docker.com/engine/network/drivers/macvlan).
 * That device is a bridge of our own, which is up as long as the gateway is on it.
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
  /** Of the bridge underneath. */
  link: z.string(),
});
export type Addresses = z.infer<typeof addressesSchema>;

/** 198.18.0.0/15 is for benchmarks (RFC 2544): in nobody's network. A /29 has the three addresses needed; so has the link. */
const subnets = 2 ** 13;
/** How many are tried. Each network of ours occupies one. */
const attempts = 64;

export function linkName(network: string): string {
  return `${network}-link`;
}

/** Taken ones are found out by trying, in an order of the name's own. One of that name that was left over is replaced. */
export async function makeNetwork(
  engine: Engine,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<Addresses> {
  await removeNetwork(engine, name);
  const start = createHash('sha256').update(name).digest().readUInt16BE(0);
  const doing = { failed: `The network ${name} could not be made` };
  return engine.call(doing, 120, async (docker, abortSignal) => {
    const signal = abortSignal === undefined ? {} : { abortSignal };
    for (let attempt = 1; ; attempt += 1) {
      const addresses = addressesOf((start + attempt * 7919) % subnets);
      try {
        const { id } = await docker.createNetwork({ ...linkRequest(name, addresses, labels), ...signal });
        await docker.createNetwork({ ...memberRequest(name, id, addresses, labels), ...signal });
        return addresses;
      } catch (error) {
        await removeNetwork(engine, name);
        // The subnet is taken: 403 from Docker 20 on, 400 from newer ones.
        if (![400, 403].includes(statusOf(error) ?? 0) || attempt >= attempts) throw error;
      }
    }
  });
}

/** The host's end of it has no address: a second lock on the same door. */
function linkRequest(name: string, { link }: Addresses, labels: Readonly<Record<string, string>>) {
  return {
    ...internal(linkName(name), labels),
    Driver: 'bridge',
    IPAM: { Driver: 'default', Config: [{ Subnet: link }] },
    Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
  };
}

function memberRequest(name: string, link: string, addresses: Addresses, labels: Readonly<Record<string, string>>) {
  return {
    ...internal(name, labels),
    Driver: 'macvlan',
    IPAM: { Driver: 'default', Config: [{ Subnet: addresses.subnet, Gateway: addresses.engine }] },
    // How Docker calls the bridge of a network without a name for it.
    Options: { parent: `br-${link.slice(0, 12)}`, macvlan_mode: 'bridge' },
  };
}

function internal(name: string, labels: Readonly<Record<string, string>>) {
  return { Name: name, CheckDuplicate: true, Internal: true, EnableIPv6: false, Labels: { ...labels } };
}

function addressesOf(index: number): Addresses {
  const first = index * 16;
  const at = (offset: number) => `198.${18 + (first >> 16)}.${(first >> 8) & 255}.${(first & 255) + offset}`;
  return { subnet: `${at(0)}/29`, engine: at(1), gateway: at(2), container: at(3), link: `${at(8)}/29` };
}

/** Removing what is gone is no error. */
export async function removeNetwork(engine: Engine, name: string): Promise<void> {
  for (const each of [name, linkName(name)]) {
    await engine.call({ failed: `The network ${each} could not be removed` }, 60, async (docker, abortSignal) => {
      try {
        await docker.getNetwork(each).remove(abortSignal === undefined ? {} : { abortSignal });
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
      }
    });
  }
}

const summarySchema = z.array(z.object({ Name: z.string() }));

/** Names of networks made here; their links go along with them. */
export async function networksWith(engine: Engine, filters: string): Promise<readonly string[]> {
  const said = await engine.get(`/networks?filters=${filters}`, { failed: 'Networks could not be listed' });
  return [...new Set(summarySchema.parse(said).map(({ Name }) => Name.replace(/-link$/, '')))];
}
