/** Refuses to touch a checkout in which the user's git is in the middle of something. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { ifPresent } from '../../platform/errno.ts';

/** Files and directories of a git directory that say what is under way, and how one gets out of it. */
const signs: readonly (readonly [name: string, operation: string, wayOut: string])[] = [
  ['rebase-merge', 'rebase', 'git rebase --continue or --abort'],
  ['rebase-apply', 'rebase or am', 'git rebase --continue or --abort (git am --continue or --abort)'],
  ['MERGE_HEAD', 'merge', 'git commit or git merge --abort'],
  ['CHERRY_PICK_HEAD', 'cherry-pick', 'git cherry-pick --continue or --abort'],
  ['REVERT_HEAD', 'revert', 'git revert --continue or --abort'],
  ['sequencer', 'cherry-pick or revert', 'git cherry-pick --continue or --abort'],
];

/** Throws `checkout-busy` (kind `refused`; data: `worktree`, `operation`). */
export async function refuseBusy(worktree: string, gitDirectory: string): Promise<void> {
  for (const [name, operation, wayOut] of signs) {
    if (await exists(join(gitDirectory, name))) {
      throw busy(worktree, operation, `A ${operation} is in progress in ${worktree}.`, `Finish it first: ${wayOut}.`);
    }
  }
  const lock = join(gitDirectory, 'index.lock');
  if (!(await goneSoon(lock))) {
    throw busy(
      worktree,
      'index.lock',
      `Another git process is at work in ${worktree}.`,
      `Try again when it is done. If no git is running there, a crashed one left its lock: rm ${lock}`,
    );
  }
}

export function busy(worktree: string, operation: string, sentence: string, hint: string): CoppiceError {
  return new CoppiceError('refused', 'checkout-busy', sentence, { hint, data: { worktree, operation } });
}

/** Milliseconds: an editor's `git status` holds the lock for a moment many times a minute. */
const patience = 2_000;

async function goneSoon(lock: string): Promise<boolean> {
  for (const until = performance.now() + patience; await exists(lock); ) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}

async function exists(path: string): Promise<boolean> {
  return (await ifPresent(access(path).then(() => true))) ?? false;
}
