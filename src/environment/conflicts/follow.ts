/** Follows the conflicts of one repository: looks again when something has moved, and tells what began and what ended. */
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { type ConflictChange, conflictChanges } from './changes.ts';
import { type Cell, conflictMatrix, meetingsOf } from './matrix.ts';
import { readyEnvironments } from './up-to-date.ts';
import { openVerdictCache, type VerdictCache } from './verdict-cache.ts';

export interface Follower {
  /** Something may have moved. Answers at once; the look itself follows soon. */
  look(): void;
}

/** Milliseconds from a move to the look at it: moves come in bursts. */
const soon = 200;
/** A look that took long is not followed by the next before so many times as long: a fifth of one core at most. */
const rest = 4;

/**
 * The first look tells what nobody has looked at before. Looks never overlap. `fail` is told of a look that failed; the next
 * one goes on from the last that did not.
 */
export function followConflicts(
  workplace: Workplace,
  tell: (change: ConflictChange) => void,
  fail: (error: unknown) => void,
): Follower {
  let cache: Promise<VerdictCache> | undefined;
  let known: readonly Cell[] | undefined;
  let state: 'idle' | 'waiting' | 'looking' | 'looking-again' = 'idle';
  let notBefore = 0;

  const wait = () => {
    state = 'waiting';
    setTimeout(() => void run(), Math.max(soon, notBefore - performance.now())).unref();
  };
  const run = async () => {
    const started = performance.now();
    state = 'looking';
    try {
      await lookNow();
    } catch (error) {
      fail(error);
    }
    const ended = performance.now();
    notBefore = ended + rest * (ended - started);
    if (isWanted()) wait();
    else state = 'idle';
  };
  const isWanted = () => state === 'looking-again';
  const lookNow = async () => {
    cache ??= openVerdictCache(workplace.repository.commonDirectory);
    const environments = await readyEnvironments(workplace);
    known ??= await remembered(workplace, environments, await cache);
    const { cells } = await conflictMatrix(workplace, environments, await cache, { again: true });
    for (const change of conflictChanges(known, cells)) tell(change);
    known = cells;
  };
  return {
    look: () => {
      if (state === 'idle') wait();
      else if (state === 'looking') state = 'looking-again';
    },
  };
}

async function remembered(
  workplace: Workplace,
  environments: readonly Environment[],
  cache: VerdictCache,
): Promise<readonly Cell[]> {
  return (await meetingsOf(workplace, environments)).flatMap((meeting) => {
    const verdict = cache.get(meeting.pair);
    return verdict === undefined ? [] : [{ ...meeting, verdict }];
  });
}
