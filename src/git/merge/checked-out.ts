/** Where the user has a branch checked out, or is busy with it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import type { RefName } from '../../domain/ref-name.ts';
import { shortName } from '../../domain/ref-name.ts';
import { ifPresent } from '../../platform/errno.ts';
import { busy, refuseBusy } from './busy.ts';
import { type Delivery, isInEnvironment } from './delivery.ts';

export interface Checkout {
  readonly worktree: string;
  readonly gitDirectory: string;
}

/** Undefined where no worktree of the user has it. Throws `checkout-busy` (kind `refused`). */
export async function checkoutOf(delivery: Delivery, branch: RefName): Promise<Checkout | undefined> {
  const found: Checkout[] = [];
  for (const { path, bare, branch: current } of await delivery.repository.worktrees()) {
    if (bare || (current !== null && current !== branch)) continue;
    if (await isInEnvironment(delivery.surroundings, path)) continue;
    const checkout = await open(delivery, path);
    if (checkout === undefined) continue;
    if (current === null) await refuseRebased(checkout, branch);
    else found.push(checkout);
  }
  const [first, second] = found;
  if (first !== undefined && second !== undefined) {
    throw new CoppiceError('refused', 'checked-out-twice', `${shortName(branch)} is checked out in two worktrees.`, {
      hint: `Switch one of them to another branch: ${first.worktree}, ${second.worktree}.`,
      data: { worktrees: found.map(({ worktree }) => worktree) },
    });
  }
  if (first !== undefined) await refuseBusy(first.worktree, first.gitDirectory);
  return first;
}

/** Undefined when its directory is gone: then there are no files to bring along. */
async function open({ git }: Delivery, worktree: string): Promise<Checkout | undefined> {
  const answer = await ifPresent(readFile(join(worktree, '.git')).catch(directoryInstead));
  if (answer === undefined) return undefined;
  const { stdout } = await git.runAsUser(worktree, ['rev-parse', '--absolute-git-dir']);
  return { worktree, gitDirectory: stdout.toString('utf8').replace(/\n$/, '') };
}

function directoryInstead(error: NodeJS.ErrnoException): null {
  if (error.code === 'EISDIR') return null;
  throw error;
}

/** During a rebase HEAD is detached, and the branch will be overwritten at its end. */
async function refuseRebased({ worktree, gitDirectory }: Checkout, branch: RefName): Promise<void> {
  for (const folder of ['rebase-merge', 'rebase-apply']) {
    const name = await ifPresent(readFile(join(gitDirectory, folder, 'head-name'), 'utf8'));
    if (name?.trim() !== branch) continue;
    const sentence = `${shortName(branch)} is being rebased in ${worktree}.`;
    throw busy(worktree, 'rebase', sentence, 'Finish it first: git rebase --continue or --abort.');
  }
}
