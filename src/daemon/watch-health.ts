/**
 * Decides when an environment's watch is to be made anew: it was blind (a scan saw changes that no event announced,
 * not even a little later), it could not be set up, or what it leaves alone has changed.
 */
import type { BytePath } from '../domain/byte-path.ts';
import type { Clock } from './clock.ts';
import type { Hints } from './hints.ts';
import { pace, rebuildGap } from './pace.ts';

export interface WatchHealth {
  /** When `isRebuildDue` is to be asked. */
  readonly dueAt: number;
  /** Changes that nobody announced. */
  readonly missed: number;
  readonly rebuilds: number;
  /** A scan found these; `announced` are the hints given before it ended. */
  found(paths: readonly BytePath[], announced: readonly Hints[]): void;
  hinted(path: BytePath | ''): void;
  /** At once, or `gap` milliseconds after the last time. */
  wantRebuild(gap: number): void;
  /** True when the watch is to be made anew now; counts as done. */
  isRebuildDue(): boolean;
}

const hour = 3_600_000;
const never = Number.POSITIVE_INFINITY;

export function watchHealth(clock: Clock): WatchHealth {
  const suspects = new Set<BytePath>();
  let verdictAt = never;
  let rebuildAt = never;
  let builtAt = clock.now();
  let blind = 0;
  let missed = 0;
  let rebuilds = 0;

  const wantRebuild = (gap: number) => {
    rebuildAt = Math.min(rebuildAt, Math.max(clock.now(), builtAt + gap));
  };
  const judge = () => {
    verdictAt = never;
    if (suspects.size === 0) return;
    missed += suspects.size;
    suspects.clear();
    if (clock.now() - builtAt > hour) blind = 0;
    wantRebuild(rebuildGap(blind));
    blind++;
  };
  return {
    get dueAt() {
      return Math.min(verdictAt, rebuildAt);
    },
    get missed() {
      return missed;
    },
    get rebuilds() {
      return rebuilds;
    },
    found: (paths, announced) => {
      for (const path of paths) if (!announced.some((hints) => hints.covers(path))) suspects.add(path);
      if (suspects.size > 0) verdictAt = Math.min(verdictAt, clock.now() + pace.lateEvent);
    },
    hinted: (path) => {
      for (const suspect of suspects) {
        if (path === '' || suspect === path || suspect.startsWith(`${path}/`)) suspects.delete(suspect);
      }
    },
    wantRebuild,
    isRebuildDue: () => {
      if (verdictAt <= clock.now()) judge();
      if (rebuildAt > clock.now()) return false;
      rebuildAt = never;
      builtAt = clock.now();
      rebuilds++;
      return true;
    },
  };
}
