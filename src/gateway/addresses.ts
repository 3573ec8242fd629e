/** Which addresses a name may lead to: not those of the machine, its networks, or its cloud's metadata. */
import { BlockList, isIP } from 'node:net';

/** IANA IPv4 and IPv6 Special-Purpose Address Registries: what is not globally reachable; multicast; and what leads back to IPv4. */
const special: readonly (readonly [string, number])[] = [
  ...([
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['224.0.0.0', 3],
  ] as const),
  ...([
    ['::', 96],
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['2001::', 23],
    ['2002::', 16],
    ['fc00::', 7],
    ['fe80::', 10],
    ['fec0::', 10],
    ['ff00::', 8],
  ] as const),
];

export interface AddressRules {
  /** Whether anybody may be led there. */
  isPublic(address: string): boolean;
}

/** `own`: further addresses that belong to the machine. */
export function addressRules(own: readonly string[]): AddressRules {
  const blocked = new BlockList();
  for (const [address, prefix] of special) blocked.addSubnet(address, prefix, familyOf(address));
  for (const address of own) if (isIP(address) !== 0) blocked.addAddress(address, familyOf(address));
  return {
    isPublic: (given) => {
      const address = unmapped(given);
      return isIP(address) !== 0 && !blocked.check(address, familyOf(address));
    },
  };
}

export function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

/** `::ffff:10.0.0.1` is 10.0.0.1, however it is written; a zone (`%eth0`) is no part of the address. */
export function unmapped(given: string): string {
  const [address = ''] = given.split('%');
  if (isIP(address) !== 6) return address;
  // The one way to write an IPv6 address (RFC 5952), so that a mapped one looks always the same.
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const tail = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (tail === null) return host;
  const [high, low] = [Number.parseInt(tail[1] ?? '', 16), Number.parseInt(tail[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
