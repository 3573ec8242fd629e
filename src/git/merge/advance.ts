/** Moves a branch forward, and with it the files of the checkout that has it: all or nothing. */
import { textOf } from '../../domain/byte-path.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import { withLock } from '../../platform/lock.ts';
import { splitNul } from '../native/split-nul.ts';
import { refuseBusy } from './busy.ts';
import { type Checkout, checkoutOf } from './checked-out.ts';
import type { Delivery } from './delivery.ts';
import { pathsInTheWay, type TouchedPath, touchedPaths } from './in-the-way.ts';

export interface Advance {
  readonly branch: RefName;
  /** null: unborn. */
  readonly before: Oid | null;
  readonly after: Oid;
  /** For the reflog. */
  readonly reason: string;
}

/** Deliveries of one repository queue here; against everybody else git's own locks and compare-and-swap hold. */
export function advance(delivery: Delivery, move: Advance): Promise<{ readonly worktree: string | null }> {
  return withLock(`deliver ${delivery.repository.commonDirectory}`, async () => {
    await requireFastForward(delivery, move);
    const checkout = await checkoutOf(delivery, move.branch);
    if (checkout === undefined) {
      await delivery.repository.updateRefs(
        [{ name: move.branch, before: move.before, after: move.after }],
        move.reason,
      );
      return { worktree: null };
    }
    await requireUnmoved(delivery, move);
    const touched = await touchedPaths(
      delivery.git,
      move.before ?? (await delivery.repository.emptyTree()),
      move.after,
    );
    await refuseDirty(delivery, checkout, touched);
    if (move.before === null) await deliverFirst(delivery, checkout, move);
    else await fastForward(delivery, checkout, move, touched);
    return { worktree: checkout.worktree };
  });
}

async function requireFastForward({ repository }: Delivery, { branch, before, after }: Advance): Promise<void> {
  if (before === null || (await repository.isAncestor(before, after))) return;
  throw new CoppiceError('refused', 'not-fast-forward', `${after} does not descend from ${shortName(branch)}.`, {
    hint: 'Merge again: the result must contain what the branch has.',
    data: { branch, before, after },
  });
}

async function requireUnmoved({ repository }: Delivery, { branch, before }: Advance): Promise<void> {
  const found = (await repository.readRef(branch)) ?? null;
  if (found === before) return;
  throw new CoppiceError('conflict', 'ref-moved', `${branch} changed meanwhile.`, {
    hint: 'Try again: somebody else moved it first.',
    data: { refs: [{ name: branch, expected: before, found }] },
  });
}

async function refuseDirty({ git }: Delivery, { worktree }: Checkout, touched: readonly TouchedPath[]): Promise<void> {
  const paths = (await pathsInTheWay(git, worktree, touched)).map(textOf);
  if (paths.length === 0) return;
  const named = paths.length === 1 ? paths[0] : `${paths.length} files`;
  throw new CoppiceError('refused', 'checkout-dirty', `${named} in ${worktree} would be overwritten.`, {
    hint: 'Commit, stash or move what you have there, then try again.',
    data: { worktree, paths },
  });
}

/** What any option in the user's configuration could turn this into, said away. Ignored files are somebody's files too. */
const fastForwardOnly = [
  'merge',
  '--ff-only',
  '--quiet',
  '--no-overwrite-ignore',
  '--no-verify-signatures',
  '--no-autostash',
  '--no-squash',
  '--commit',
  '--no-stat',
];

/** Filters of the user (LFS) may have to fetch. Milliseconds. */
const patience = 30 * 60_000;

/**
 * One git process does it all, in a process group of its own: it checks again, moves files and index under index.lock, and
 * then the branch by compare-and-swap. If we are killed it completes; if it is killed, git's own rules for that apply.
 */
async function fastForward(
  delivery: Delivery,
  checkout: Checkout,
  move: Advance,
  touched: readonly TouchedPath[],
): Promise<void> {
  try {
    await delivery.git.runAsUser(checkout.worktree, [...fastForwardOnly, move.after], {
      env: { GIT_REFLOG_ACTION: move.reason, GIT_MERGE_AUTOEDIT: 'no' },
      config: ['submodule.recurse=false'],
      timeout: patience,
      detached: true,
    });
  } catch (error) {
    if (!hasCode(error, 'git-failed')) throw error;
    await takeBack(delivery, checkout, move, touched);
    await refuseBusy(checkout.worktree, checkout.gitDirectory);
    await requireUnmoved(delivery, move);
    await refuseDirty(delivery, checkout, touched);
    throw error;
  }
}

/** The branch was moved by somebody in the moment between the files and the reference: the files follow it there. */
async function takeBack(
  { git, repository }: Delivery,
  { worktree }: Checkout,
  move: Advance,
  touched: readonly TouchedPath[],
): Promise<void> {
  const now = await repository.readRef(move.branch);
  if (now === undefined || now === move.before || touched.length === 0) return;
  const { stdout } = await git.runAsUser(worktree, ['diff-index', '--cached', '--name-only', '-z', move.after], {
    allow: [0, 1],
  });
  const different = new Set(splitNul(stdout).map((path) => path.toString('latin1')));
  if (touched.some(({ path }) => different.has(path))) return;
  await git.runAsUser(worktree, ['read-tree', '-m', '-u', move.after, now], { timeout: patience, detached: true });
}

/** The branch first: if we are killed then, the files are missing from the checkout and `git restore .` brings them. */
async function deliverFirst(
  { git, repository }: Delivery,
  { worktree }: Checkout,
  { branch, after, reason }: Advance,
): Promise<void> {
  await repository.updateRefs([{ name: branch, before: null, after }], reason);
  try {
    await git.runAsUser(worktree, ['read-tree', '-m', '-u', await repository.emptyTree(), after], {
      config: ['submodule.recurse=false'],
      timeout: patience,
      detached: true,
    });
  } catch (error) {
    await repository.updateRefs([{ name: branch, before: after, after: null }], `${reason} (undone)`);
    throw error;
  }
}
