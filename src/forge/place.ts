/** Where a remote's forge is: read from its URL, in each form git takes, and from what the user's git configuration says of it. */
import { CoppiceError } from '../domain/error.ts';
import { type ForgeKind, forgeKinds } from './forge.ts';

export interface RemoteAddress {
  readonly scheme: 'http' | 'https' | 'ssh';
  /** With the port where it is that of a web server. */
  readonly host: string;
  readonly path: readonly string[];
}

export interface ForgePlace {
  readonly kind: ForgeKind;
  /** `https://git.example.org` or `https://example.org/git`: what people open, and whose credentials count. */
  readonly web: string;
  readonly api: string;
  /** `team/project`; on GitLab any depth. */
  readonly project: string;
}

export interface PlaceSettings {
  /** `coppice.forge`. */
  readonly forge?: string | undefined;
  /** `coppice.forgeUrl`. */
  readonly forgeUrl?: string | undefined;
}

/** Names under which known forges take ssh at the port of https. */
const aliases: Readonly<Record<string, string>> = { 'ssh.github.com': 'github.com', 'altssh.gitlab.com': 'gitlab.com' };

/** Undefined for a path, or anything else that names no host. */
export function parseRemote(url: string): RemoteAddress | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return parseScp(url);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.hostname === '') return undefined;
  const path = segmentsOf(parsed.pathname);
  if (scheme === 'http' || scheme === 'https') return { scheme, host: parsed.host, path };
  if (!/^(ssh|git\+ssh|ssh\+git|git)$/.test(scheme)) return undefined;
  // Its port is that of another server.
  return { scheme: 'ssh', host: aliasOf(parsed.hostname.toLowerCase()), path };
}

/** `user@host:path`, told from a path as git does: a colon before any slash. */
function parseScp(url: string): RemoteAddress | undefined {
  const [, host, path] = /^(?:[^/:@]+@)?(\[[0-9a-f:]+\]|[^/:@\s]{2,}):(?!\/\/)(.+)$/i.exec(url) ?? [];
  return host === undefined || path === undefined
    ? undefined
    : { scheme: 'ssh', host: aliasOf(host.toLowerCase()), path: segmentsOf(path) };
}

function aliasOf(host: string): string {
  return aliases[host] ?? host;
}

function segmentsOf(path: string): readonly string[] {
  const segments = path.split('/').filter((segment) => segment !== '');
  return segments.map((segment, index) => (index === segments.length - 1 ? segment.replace(/\.git$/, '') : segment));
}

/** What `git config --get-urlmatch` is asked with. */
export function webAddressOf({ scheme, host, path }: RemoteAddress): string {
  return `${scheme === 'http' ? 'http' : 'https'}://${host}/${path.join('/')}`;
}

export type PlaceAnswer = { readonly place: ForgePlace } | { readonly none: string | null };

/** Nothing is asked of a host to find out what it is. Throws `bad-forge-setting`. */
export function findPlace(address: RemoteAddress, settings: PlaceSettings): PlaceAnswer {
  const kind = kindIn(settings.forge) ?? kindOf(address.host);
  if (kind === 'none') return { none: null };
  if (kind === undefined) {
    const key = `coppice.${new URL(webAddressOf(address)).origin}.forge`;
    return {
      none: `what runs on ${address.host} is not known: \`git config --global ${key} gitlab\` (or github, gitea, none)`,
    };
  }
  const web = settings.forgeUrl === undefined ? webOf(kind, address) : webIn(settings.forgeUrl);
  const project = projectOf(kind, address, web);
  if (project === undefined) return { none: `the remote's URL names no project on ${address.host}` };
  return { place: { kind, web, api: apiOf(kind, web), project } };
}

function kindIn(setting: string | undefined): ForgeKind | 'none' | undefined {
  if (setting === undefined || setting === 'none') return setting;
  const kind = setting === 'forgejo' ? 'gitea' : forgeKinds.find((each) => each === setting);
  if (kind !== undefined) return kind;
  throw badSetting(
    `coppice.forge is ${JSON.stringify(setting)}.`,
    `It is one of: ${forgeKinds.join(', ')}, forgejo, none.`,
  );
}

function kindOf(host: string): ForgeKind | undefined {
  if (host === 'github.com' || host.endsWith('.ghe.com')) return 'github';
  if (host === 'gitlab.com') return 'gitlab';
  return host === 'codeberg.org' || host === 'gitea.com' ? 'gitea' : undefined;
}

/** GitLab's projects may be at any depth, so that a folder above all of them has to be said; the others' never are. */
function webOf(kind: ForgeKind, { scheme, host, path }: RemoteAddress): string {
  const above = scheme === 'ssh' || kind === 'gitlab' ? [] : path.slice(0, -2);
  // Those that everybody knows have https.
  const secure = scheme !== 'http' || kindOf(host) !== undefined;
  return [`${secure ? 'https' : 'http'}://${host}`, ...above].join('/');
}

function webIn(setting: string): string {
  const url = URL.canParse(setting) ? new URL(setting) : undefined;
  if (
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === ''
  ) {
    return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  }
  throw badSetting(
    'coppice.forgeUrl is not the address of a web site.',
    'Such as https://git.example.org or https://example.org/git.',
  );
}

function projectOf(kind: ForgeKind, { scheme, path }: RemoteAddress, web: string): string | undefined {
  const above = segmentsOf(new URL(web).pathname);
  const inside =
    scheme !== 'ssh' && above.every((segment, index) => path[index] === segment) ? path.slice(above.length) : path;
  const own = kind === 'gitlab' ? inside : inside.slice(-2);
  return own.length < 2 || own.some((segment) => /^\.*$|[\s?#\\]/.test(segment)) ? undefined : own.join('/');
}

function apiOf(kind: ForgeKind, web: string): string {
  if (kind === 'gitlab') return `${web}/api/v4`;
  if (kind === 'gitea') return `${web}/api/v1`;
  const { host, origin } = new URL(web);
  const hosted = web === origin && (host === 'github.com' || host.endsWith('.ghe.com'));
  return hosted ? `https://api.${host}` : `${web}/api/v3`;
}

function badSetting(message: string, hint: string): CoppiceError {
  return new CoppiceError('usage', 'bad-forge-setting', message, {
    hint: `${hint} See \`git config --show-origin --get-regexp ^coppice\`.`,
  });
}
