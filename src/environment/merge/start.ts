/**
 * Where a merge of an environment into a branch starts from. After a squash or a rebase git knows no common commit that has
 * what was delivered; coppice remembers it, so that work which goes on in the same lines merges cleanly again.
 */
import { hasCode } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { MergeOptions, MergeOutcome } from '../../git/merging.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';

export interface MergeStart {
  /** The merge base, as git finds it. */
  readonly commit: Oid;
  /** What both sides have: the merge base's own tree, or that with what was delivered since. A commit or a tree. */
  readonly tree: Oid;
  /** The environment's commit that was delivered in whole without becoming an ancestor of the branch. */
  readonly delivered: Oid | undefined;
}

/** Undefined where the histories share no commit. `theirs`: the environment's side. */
export async function mergeStart(
  { repository }: Workplace,
  environment: Environment,
  into: RefName,
  before: Oid,
  theirs: Oid,
): Promise<MergeStart | undefined> {
  const commit = await repository.mergeBase(before, theirs);
  if (commit === undefined) return undefined;
  const plain = { commit, tree: commit, delivered: undefined };
  const note = await repository.readRef(environment.refs.delivered(into));
  if (note === undefined) return plain;
  const { tree, parents } = await repository.readCommit(note);
  const [landed, head, base] = parents;
  if (landed === undefined || head === undefined || base !== commit) return plain;
  const [stillThere, stillOurs, { tree: whole }] = await Promise.all([
    repository.isAncestor(landed, before),
    repository.isAncestor(head, theirs),
    repository.readCommit(head),
  ]);
  if (!stillThere || !stillOurs) return plain;
  // Of a part no commit is known to be in whole.
  return { commit, tree, delivered: tree === whole ? head : undefined };
}

/** Three-way from that start, in either order; git's own merge, criss-cross histories included, where nothing else was delivered. */
export function mergeFrom(
  { merging }: Workplace,
  start: MergeStart | undefined,
  before: Oid,
  theirs: Oid,
  options?: MergeOptions,
): Promise<MergeOutcome> {
  return start === undefined || start.tree === start.commit
    ? merging.merge(before, theirs, options)
    : merging.mergeTrees(start.tree, before, theirs, options);
}

export interface Delivery {
  /** The commit on the branch that has it. */
  readonly landed: Oid;
  readonly head: Oid;
  readonly start: MergeStart;
  /** What the branch has of the environment now, over the merge base. */
  readonly tree: Oid;
}

/** Remembers what a squash or rebase delivered, as a commit whose parents keep all that it speaks of. */
export async function noteDelivery(
  { repository }: Workplace,
  environment: Environment,
  into: RefName,
  { landed, head, start, tree }: Delivery,
): Promise<void> {
  const name = environment.refs.delivered(into);
  const { author } = environment.record;
  const note = await repository.writeCommit({
    tree,
    parents: [landed, head, start.commit],
    author,
    committer: author,
    message: `coppice: what ${into} has of ${environment.name}\n`,
  });
  const before = (await repository.readRef(name)) ?? null;
  try {
    await repository.updateRefs([{ name, before, after: note }], `coppice: delivered ${environment.name}`);
  } catch (error) {
    // Somebody else's delivery at the same moment, or a branch a/b after a branch a: the merge itself is done.
    if (!hasCode(error, 'ref-moved') && !hasCode(error, 'ref-name-taken')) throw error;
  }
}
