/** Decides about one host and port: listed or not, and to which address it may lead. Resolves once; that address is the one to use. */
import { BlockList, isIP } from 'node:net';
import { type AllowEntry, isHostName, parseAllowEntry, webPorts } from '../domain/allowlist.ts';
import type { DenialReason } from '../domain/network.ts';
import { type AddressRules, addressRules, familyOf, unmapped } from './addresses.ts';

export interface PolicySource {
  /** Entries of the allowlist. */
  readonly allow: readonly string[];
  /** Addresses of the machine beyond those that never lead outside. */
  readonly own: () => readonly string[];
}

export type Resolve = (name: string) => Promise<readonly string[]>;

export type Decision =
  | { readonly kind: 'allowed'; readonly addresses: readonly string[] }
  | { readonly kind: 'denied'; readonly reason: DenialReason }
  /** Allowed, but there is no such name. */
  | { readonly kind: 'unknown' };

export interface Policy {
  /** Whether the name is listed for any port: what a look-up may know. */
  mayLookUp(name: string): boolean;
  decide(host: string, port: number): Promise<Decision>;
}

export function makePolicy({ allow, own }: PolicySource, resolve: Resolve): Policy {
  const entries = allow.map(parseAllowEntry);
  return {
    mayLookUp: (given) => {
      const name = normal(given);
      return isHostName(name) && entries.some((entry) => names(entry, name));
    },
    async decide(given, port) {
      const host = normal(given);
      const literal = unmapped(host);
      if (isIP(literal) !== 0) {
        const listed = entries.some((entry) => covers(entry, literal) && opens(entry, port));
        return listed ? { kind: 'allowed', addresses: [literal] } : { kind: 'denied', reason: 'not-listed' };
      }
      const listed = isHostName(host) && entries.some((entry) => names(entry, host) && opens(entry, port));
      if (!listed) return { kind: 'denied', reason: 'not-listed' };
      return sift(await resolve(host), port, entries, addressRules(own()));
    },
  };
}

/** A name leads to a private address only where that address is listed as well. */
function sift(found: readonly string[], port: number, entries: readonly AllowEntry[], rules: AddressRules): Decision {
  if (found.length === 0) return { kind: 'unknown' };
  const addresses = found
    .map(unmapped)
    .filter(
      (address) => rules.isPublic(address) || entries.some((entry) => covers(entry, address) && opens(entry, port)),
    );
  return addresses.length === 0 ? { kind: 'denied', reason: 'private' } : { kind: 'allowed', addresses };
}

function names(entry: AllowEntry, name: string): boolean {
  if (entry.kind === 'name') return entry.name === name;
  return entry.kind === 'below' && (entry.name === '' || name.endsWith(`.${entry.name}`));
}

function covers(entry: AllowEntry, address: string): boolean {
  if (entry.kind !== 'addresses' || isIP(entry.address) !== isIP(address)) return false;
  const list = new BlockList();
  list.addSubnet(entry.address, entry.prefix, familyOf(entry.address));
  return list.check(address, familyOf(address));
}

function opens({ ports }: AllowEntry, port: number): boolean {
  if (ports === 'all') return true;
  return ports === 'web' ? webPorts.includes(port) : ports === port;
}

/** Lower case, without the brackets of a URL and the dot of the root. */
export function normal(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/(?<=.)\.$/, '');
}
