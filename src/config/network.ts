/** Which network a new environment gets. A repository may ask for less than the user's settings give, never for more. Pure. */
import { isCovered, joinAllow } from '../domain/allowlist.ts';
import type { Network, NetworkMode, NetworkWish } from '../domain/network.ts';

export interface NetworkWishes {
  readonly flags: NetworkWish | undefined;
  readonly file: NetworkWish | undefined;
  readonly settings: NetworkWish | undefined;
}

export interface ResolvedNetwork {
  readonly network: Network;
  /** What the repository asks for and the user's settings do not give: a mode, or hosts. */
  readonly leftOut: readonly string[];
}

interface Wanted {
  readonly mode: NetworkMode | undefined;
  readonly allow: readonly string[];
}

/** From little to all. */
const widths: readonly NetworkMode[] = ['none', 'allowlist', 'open'];

export function resolveNetwork(wishes: NetworkWishes): ResolvedNetwork {
  const flags = understand(wishes.flags);
  const file = understand(wishes.file);
  const settings = understand(wishes.settings);
  const most = settings.mode ?? 'open';
  const asked = file.mode ?? most;
  const mode = flags.mode ?? (isWider(asked, most) ? most : asked);
  // A list of the user's own is all there is to have; without one, the repository's is.
  const fromFile = most === 'open' ? file.allow : [];
  const allow = joinAllow(settings.allow, fromFile, flags.allow);
  const network: Network = mode === 'allowlist' ? { mode, allow: [...allow] } : mode;
  return { network, leftOut: leftOut(file, mode, flags.mode !== undefined, allow) };
}

/** Where the user said on the command line what it shall be, only missing hosts are worth a word. */
function leftOut(wanted: Wanted, mode: NetworkMode, decided: boolean, allow: readonly string[]): readonly string[] {
  if (mode === 'open' || wanted.mode === undefined || wanted.mode === 'none') return [];
  if (wanted.mode === 'open') return decided ? [] : ['open'];
  if (mode === 'none') return decided ? [] : ['allowlist'];
  return joinAllow(wanted.allow).filter((host) => !isCovered(host, allow));
}

function isWider(one: NetworkMode, other: NetworkMode): boolean {
  return widths.indexOf(one) > widths.indexOf(other);
}

/** Hosts without a mode mean an allowlist. */
function understand(wish: NetworkWish | undefined): Wanted {
  if (wish === undefined) return { mode: undefined, allow: [] };
  if (typeof wish === 'string') return { mode: wish, allow: [] };
  return { mode: wish.mode ?? (wish.allow === undefined ? undefined : 'allowlist'), allow: wish.allow ?? [] };
}
