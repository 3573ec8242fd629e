/**
 * Counts an environment as merged because its forge said so, which is the only way to know where somebody went on editing in
 * the merge itself. It holds for the very commit it was said of: one change more, and it does not.
 */
import type { Oid } from '../../domain/oid.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { type FilesReverted, revertedFiles } from './reverted.ts';
import type { MergedWord } from './word.ts';

export interface MergedPull {
  /** `#12`. */
  readonly reference: string;
  readonly url: string;
  /** The target here does not have the merge yet: it was not pulled. */
  readonly behind: boolean;
}

export interface MergedByForge {
  readonly by: 'forge';
  /** What the target got, or the head of the pull request where nothing new was made. */
  readonly commit: Oid;
  readonly pull: MergedPull;
  readonly revertedFiles?: FilesReverted;
}

/** What was said of just this tip. */
export function wordOn({ at, word }: Environment): MergedWord | undefined {
  return word?.tip === at.tip ? word : undefined;
}

export async function mergedByForge(
  workplace: Workplace,
  environment: Environment,
  target: Oid | undefined,
): Promise<MergedByForge | 'reverted' | undefined> {
  const word = wordOn(environment);
  if (word === undefined) return undefined;
  const { reference, url, head, mergeCommit, tip } = word;
  const arrived = target !== undefined && mergeCommit !== null && (await isIn(workplace, mergeCommit, target));
  const reverted = arrived ? await revertedSince(workplace, mergeCommit, tip, target) : undefined;
  if (reverted !== undefined && reverted.count === reverted.of && reverted.of > 0) return 'reverted';
  return {
    by: 'forge',
    commit: mergeCommit ?? head ?? tip,
    pull: { reference, url, behind: !arrived },
    ...(reverted === undefined || reverted.count === 0 ? {} : { revertedFiles: reverted }),
  };
}

/** False also where the commit is not here. */
async function isIn({ repository }: Workplace, commit: Oid, target: Oid): Promise<boolean> {
  return (await repository.resolveCommit(commit)) !== undefined && (await repository.isAncestor(commit, target));
}

async function revertedSince(
  workplace: Workplace,
  mergeCommit: Oid,
  tip: Oid,
  target: Oid,
): Promise<FilesReverted | undefined> {
  const { repository } = workplace;
  const [before] = (await repository.readCommit(mergeCommit)).parents;
  const start = before === undefined ? undefined : await repository.mergeBase(before, tip);
  return start === undefined ? undefined : revertedFiles(workplace, { start, end: tip }, target);
}
