/** Takes conflicts away from a merge that were resolved before: for whoever merges on objects and was asked to. */
import { textOf } from '../../domain/byte-path.ts';
import type { MergeOptions, MergeOutcome } from '../../git/merging.ts';
import type { Workplace } from '../workplace.ts';
import { withContents } from './conflicted-tree.ts';
import { recall } from './memory.ts';

/**
 * `again` computes the same merge with other options: ids of conflicts are those of the style zdiff3. The outcome is clean where
 * nothing else conflicts; its objects are in the repository.
 */
export async function withResolutions(
  workplace: Workplace,
  outcome: Extract<MergeOutcome, { kind: 'conflict' }>,
  again: (options: MergeOptions) => Promise<MergeOutcome>,
): Promise<{ readonly outcome: MergeOutcome; readonly paths: readonly string[] }> {
  const styled = await again({ style: 'zdiff3' });
  const wanted = new Set(outcome.conflicts.map(({ path }) => path));
  const found = styled.kind === 'clean' ? [] : (await recall(workplace, styled)).filter(({ path }) => wanted.has(path));
  if (found.length === 0) return { outcome, paths: [] };
  const done = new Set(found.map(({ path }) => path));
  const conflicts = outcome.conflicts.filter(({ path }) => !done.has(path));
  const tree = await withContents(workplace, outcome.tree, found);
  const paths = found.map(({ path }) => textOf(path));
  return { outcome: conflicts.length === 0 ? { kind: 'clean', tree } : { ...outcome, tree, conflicts }, paths };
}
