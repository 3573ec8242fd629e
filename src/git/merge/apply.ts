/** Brings a difference into the user's checkout as uncommitted changes: computed on objects, staged aside, then swapped in. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { withLock } from '../../platform/lock.ts';
import { ownCheckout } from '../native/own-checkout.ts';
import type { TreeChange } from '../repository.ts';
import { busy, refuseBusy } from './busy.ts';
import type { Checkout } from './checked-out.ts';
import { type CheckoutState, readCheckout, unchangedSince } from './checkout-state.ts';
import { type Delivery, isInEnvironment } from './delivery.ts';
import { touchedPaths } from './in-the-way.ts';
import { obstacles } from './obstacles.ts';
import { type Quarantine, withQuarantine } from './quarantine.ts';
import { replaceFiles } from './replace-files.ts';
import { withStaging } from './staging.ts';
import { mergeTrees } from './three-way.ts';
import { treeChanges } from './tree-changes.ts';

/** What stands in the way of applying: a merge conflict, or something that is no file of the user's. */
interface Standing {
  readonly path: BytePath;
  readonly kind: string;
}

export async function applyToCheckout(delivery: Delivery, base: Oid, theirs: Oid): Promise<readonly BytePath[]> {
  const { repository, surroundings, git } = delivery;
  const { gitDirectory } = repository;
  const inEnvironment = repository.worktree !== null && (await isInEnvironment(surroundings, repository.worktree));
  const worktree = ownCheckout({ gitDirectory, worktree: repository.worktree, inEnvironment });
  const checkout = { worktree, gitDirectory };
  return withLock(`deliver ${repository.commonDirectory}`, async () => {
    await refuseBusy(worktree, gitDirectory);
    const touched = (await touchedPaths(git, base, theirs)).map(({ path }) => path);
    if (touched.length === 0) return [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      const applied = await withQuarantine(git, surroundings.runtimeDirectory, (quarantine) =>
        attemptApply(delivery, checkout, quarantine, { base, theirs, touched }),
      );
      if (applied !== undefined) return applied;
    }
    throw busy(worktree, 'editing', `Files in ${worktree} keep changing.`, 'Try again when nothing writes to them.');
  });
}

/** Undefined when a file changed between being read and being replaced: nothing was touched, and it can be tried again. */
async function attemptApply(
  delivery: Delivery,
  checkout: Checkout,
  quarantine: Quarantine,
  wanted: { readonly base: Oid; readonly theirs: Oid; readonly touched: readonly BytePath[] },
): Promise<readonly BytePath[] | undefined> {
  const { result, state, changes } = await mergeWithCheckout(delivery, checkout, quarantine, wanted);
  refuse(checkout, [
    ...changes.filter(isSubmodule).map(({ path }) => ({ path, kind: 'submodule' })),
    ...(await obstacles(checkout.worktree, changes)).map((path) => ({ path, kind: 'file/directory' })),
  ]);
  return withStaging(delivery.git, checkout, quarantine, { tree: result, changes }, async (staging) => {
    if (!(await unchangedSince(checkout.worktree, state))) return undefined;
    await replaceFiles(checkout.worktree, staging, changes, delivery.surroundings.cwd);
    return changes.map(({ path }) => path).sort();
  });
}

/** Renames make a merge reach paths that neither side's difference named: those are then read as well. */
async function mergeWithCheckout(
  delivery: Delivery,
  checkout: Checkout,
  quarantine: Quarantine,
  wanted: { readonly base: Oid; readonly theirs: Oid; readonly touched: readonly BytePath[] },
): Promise<{ readonly result: Oid; readonly state: CheckoutState; readonly changes: readonly TreeChange[] }> {
  const paths = new Set(wanted.touched);
  for (;;) {
    const state = await readCheckout(delivery.git, checkout, quarantine, [...paths]);
    const { outcome } = await mergeTrees(delivery.git, quarantine, wanted.base, state.tree, wanted.theirs);
    if (outcome.kind === 'conflict') refuse(checkout, outcome.conflicts);
    const changes = await treeChanges(delivery.git, quarantine.env, state.tree, outcome.tree);
    const unread = changes.map(({ path }) => path).filter((path) => !paths.has(path));
    if (unread.length === 0) return { result: outcome.tree, state, changes };
    for (const path of unread) paths.add(path);
  }
}

function isSubmodule({ before, after }: TreeChange): boolean {
  return before?.mode === '160000' || after?.mode === '160000';
}

function refuse({ worktree }: Checkout, standing: readonly Standing[]): void {
  if (standing.length === 0) return;
  const files = standing.map(({ path, kind }) => ({ path: textOf(path), kind }));
  const many = files.length === 1 ? `${files[0]?.path} conflicts` : `${files.length} files conflict`;
  throw new CoppiceError('conflict', 'apply-conflict', `${many} with what is in ${worktree}.`, {
    hint: 'Nothing was changed. Commit or move your own changes to these files, or merge inside the environment first.',
    data: { worktree, files },
  });
}
