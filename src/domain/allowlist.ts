/** What an entry of an allowlist means. Pure; the gateway uses it too, so it needs no library. */
import { isIP } from 'node:net';
import { CoppiceError } from './error.ts';

/** Throws `bad-host` (kind `usage`) with what is wrong with it. */
export function parseAllowEntry(text: string): AllowEntry {
  const complaint = complaintAbout(text);
  if (complaint === undefined) return understand(text);
  throw new CoppiceError(
    'usage',
    'bad-host',
    `${JSON.stringify(text)} is no host that could be allowed: ${complaint}.`,
    {
      hint: 'Write example.org, *.example.org, example.org:22, example.org:* or an address such as 10.1.2.3:5432 or 10.0.0.0/8.',
      data: { host: text },
    },
  );
}

export type Ports = 'web' | 'all' | number;

export type AllowEntry =
  | { readonly kind: 'name'; readonly name: string; readonly ports: Ports }
  /** Every name below, not the name itself; `''` is every name there is. */
  | { readonly kind: 'below'; readonly name: string; readonly ports: Ports }
  | { readonly kind: 'addresses'; readonly address: string; readonly prefix: number; readonly ports: Ports };

/** What a host without a port is allowed for. */
export const webPorts: readonly number[] = [80, 443];

/**
 * The shortest entry that would allow this and nothing else; undefined where there is none. Whoever was denied chose the
 * host: it may be a pattern, or no host at all.
 */
export function entryFor({ host, port }: { readonly host: string; readonly port: number | null }): string | undefined {
  if (isIP(host) === 0 && !isHostName(host)) return undefined;
  const shown = isIP(host) === 6 ? `[${host}]` : host;
  return port === null || webPorts.includes(port) ? shown : `${shown}:${port}`;
}

/** The same entry written twice counts once. */
export function joinAllow(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat().map((entry) => entry.trim().toLowerCase()))];
}

/** Whether all that the entry allows is allowed by another one already. */
export function isCovered(entry: string, allow: readonly string[]): boolean {
  const inner = parseAllowEntry(entry);
  return allow.map(parseAllowEntry).some((outer) => coversPorts(outer.ports, inner.ports) && coversHosts(outer, inner));
}

function coversPorts(outer: Ports, inner: Ports): boolean {
  if (outer === 'all' || outer === inner) return true;
  return outer === 'web' && typeof inner === 'number' && webPorts.includes(inner);
}

function coversHosts(outer: AllowEntry, inner: AllowEntry): boolean {
  if (outer.kind === 'addresses' || inner.kind === 'addresses') {
    if (outer.kind !== 'addresses' || inner.kind !== 'addresses') return false;
    return outer.address === inner.address && outer.prefix === inner.prefix;
  }
  if (outer.kind === inner.kind && outer.name === inner.name) return true;
  return outer.kind === 'below' && (outer.name === '' || inner.name.endsWith(`.${outer.name}`));
}

function understand(text: string): AllowEntry {
  const { host, ports } = split(text);
  const [address = '', prefix] = host.split('/');
  const family = isIP(address);
  if (family !== 0) {
    const longest = family === 4 ? 32 : 128;
    return { kind: 'addresses', address, prefix: prefix === undefined ? longest : Number(prefix), ports };
  }
  if (host === '*') return { kind: 'below', name: '', ports };
  return host.startsWith('*.') ? { kind: 'below', name: host.slice(2), ports } : { kind: 'name', name: host, ports };
}

function split(text: string): { readonly host: string; readonly ports: Ports; readonly port: string | undefined } {
  const trimmed = text.trim().toLowerCase();
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(trimmed);
  const plain = isIP(trimmed.split('/')[0] ?? '') === 6 ? undefined : /^(.*):([^:]*)$/.exec(trimmed);
  const host = (bracketed?.[1] ?? plain?.[1] ?? trimmed).replace(/(?<=.)\.$/, '');
  const port = bracketed === null ? plain?.[2] : bracketed[2];
  return { host, port, ports: port === undefined ? 'web' : port === '*' ? 'all' : Number(port) };
}

/** Why not; undefined when there is nothing to complain about. */
export function complaintAbout(text: string): string | undefined {
  if (/\s/.test(text.trim())) return 'there are spaces in it';
  if (/:\/\/|[?#@]/.test(text)) return 'give the name alone, without https:// and path';
  if (/^\s*\*\.(:|$)/.test(text)) return 'a name is missing after *.';
  const { host, port, ports } = split(text);
  if (port !== undefined && ports !== 'all' && !(/^\d+$/.test(port) && isPort(ports))) {
    return `${JSON.stringify(port)} is no port`;
  }
  const [address = '', prefix, ...rest] = host.split('/');
  if (prefix !== undefined || isIP(address) !== 0) return complaintAboutAddress(address, prefix, rest);
  const name = host.replace(/^\*(\.|$)/, '');
  if (name === '' && host === '*') return undefined;
  if (name.includes('*')) return 'a * stands only at the beginning, for everything below a name';
  return isHostName(name) ? undefined : 'that is neither a host name in ASCII nor an address';
}

function complaintAboutAddress(address: string, prefix: string | undefined, rest: readonly string[]) {
  const family = isIP(address);
  if (family === 0) return 'give the name alone, without a path';
  if (prefix === undefined) return undefined;
  const fits = /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128) && rest.length === 0;
  return fits ? undefined : `/${[prefix, ...rest].join('/')} is no length of a prefix`;
}

export function isPort(port: unknown): port is number {
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
}

/**
 * Letters, digits, `-` and `_` in labels (RFC 1123, and what people use). Not what the C library would take for an
 * address in disguise, such as `2130706433` or `0x7f.1` (WHATWG URL, "ends in a number").
 */
export function isHostName(name: string): boolean {
  const labels = name.split('.');
  const last = labels.at(-1) ?? '';
  return (
    name.length <= 253 &&
    labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)) &&
    !/^(?:\d+|0x[0-9a-f]*)$/.test(last)
  );
}
