/** Where a new environment begins: its base, and the branch it goes back to. */
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { parseBranch, type RefName, shortName } from '../domain/ref-name.ts';
import type { Head, Identity } from '../git/repository.ts';
import type { Workplace } from './workplace.ts';

export interface StartRequest {
  /** A revision; default: the caller's HEAD. */
  readonly from: string | undefined;
  readonly target: string | undefined;
}

export interface Start {
  readonly base: Oid;
  readonly target: RefName | null;
}

export async function startOf(workplace: Workplace, request: StartRequest): Promise<Start> {
  const { repository } = workplace;
  const head = await repository.head();
  const base = await baseOf(workplace, request.from, head);
  const target = request.target === undefined ? defaultTarget(head) : parseBranch(request.target);
  if (request.target !== undefined && target !== null && (await repository.readRef(target)) === undefined) {
    throw new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(target)} to go back to.`, {
      hint: '`git branch` lists them; leave --target out to go back to the branch that is checked out.',
    });
  }
  return { base, target };
}

function defaultTarget(head: Head): RefName | null {
  return head.kind === 'detached' ? null : head.ref;
}

async function baseOf(workplace: Workplace, from: string | undefined, head: Head): Promise<Oid> {
  if (from !== undefined) {
    const found = await workplace.repository.resolveCommit(from);
    if (found !== undefined) return found;
    throw new CoppiceError('not-found', 'revision-not-found', `${JSON.stringify(from)} names no commit here.`, {
      hint: 'Give a branch, a tag or a commit; `git fetch` first if it is somewhere else.',
    });
  }
  if (head.kind !== 'unborn') return head.oid;
  // A repository without commits: the environment starts from an empty one, and the target is born at the first merge.
  const author = await authorOf(workplace);
  const tree = await workplace.repository.emptyTree();
  return workplace.repository.writeCommit({
    tree,
    parents: [],
    author,
    committer: author,
    message: 'Start of history\n',
  });
}

export async function authorOf(workplace: Workplace): Promise<Identity> {
  const known = await workplace.repository.identity();
  const { userName, hostname } = workplace.surroundings;
  return known ?? { name: userName, email: `${userName}@${hostname}` };
}
