/** Many merges: in batches, a few at a time, handed out in order. */
import { availableParallelism } from 'node:os';
import { hasCode } from '../../domain/error.ts';
import type { HostGit } from '../host-git.ts';
import type { MergeOptions, MergePair, PairOutcome } from '../merging.ts';
import { mergeAlone, mergeBatch } from './batch.ts';
import { dressPairs } from './dress.ts';
import { type Quarantine, withQuarantine } from './quarantine.ts';
import { scratchInMemory } from './scratch.ts';

/** Pairs in one batch: enough to pay for the process, few enough for their objects to fit a small tmpfs (FACTS: 44 a pair). */
const most = 100;
const fewest = 8;

export async function* mergeAll(
  git: HostGit,
  scratch: string,
  pairs: Iterable<MergePair>,
  options: MergeOptions = {},
): AsyncGenerator<PairOutcome> {
  const batches = batchesOf([...pairs]);
  if (batches.length === 0) return;
  const place = await scratchInMemory(scratch);
  const underWay: Promise<readonly PairOutcome[]>[] = [];
  const begin = () => {
    const batch = batches.shift();
    if (batch === undefined) return;
    const work = mergeOne(git, place, batch, options);
    // Whoever takes the outcomes sees it; one that nobody takes any more must not end the process.
    work.catch(() => undefined);
    underWay.push(work);
  };
  for (let started = 0; started < availableParallelism(); started++) begin();
  try {
    for (let work = underWay.shift(); work !== undefined; work = underWay.shift()) {
      const outcomes = await work;
      begin();
      yield* outcomes;
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}

function batchesOf(pairs: readonly MergePair[]): (readonly MergePair[])[] {
  const size = Math.min(most, Math.max(fewest, Math.ceil(pairs.length / availableParallelism())));
  return Array.from({ length: Math.ceil(pairs.length / size) }, (_, index) =>
    pairs.slice(index * size, (index + 1) * size),
  );
}

function mergeOne(git: HostGit, scratch: string, batch: readonly MergePair[], options: MergeOptions) {
  return withQuarantine(git, scratch, async (quarantine) => {
    const { pairs, commits } = await dressPairs(git, quarantine, batch);
    const outcomes = await inBatchOrAlone(git, quarantine, pairs, options);
    if (options.keep ?? true) await quarantine.promote(commits);
    return outcomes;
  });
}

async function inBatchOrAlone(
  git: HostGit,
  quarantine: Quarantine,
  pairs: readonly MergePair[],
  options: MergeOptions,
): Promise<readonly PairOutcome[]> {
  try {
    return await mergeBatch(git, quarantine, pairs, options);
  } catch (error) {
    if (!hasCode(error, 'git-without-batches')) throw error;
    const outcomes: PairOutcome[] = [];
    for (const [index, pair] of pairs.entries()) {
      outcomes.push(await mergeAlone(git, quarantine, pair, `alone-${index}`));
    }
    return outcomes;
  }
}
