/**
 * Makes the branch follow a commit: it becomes that commit plus, where the files differ from it, one checkpoint that says
 * so. The folded checkpoints, and whatever a rewrite leaves behind, stay reachable under tails/.
 */

import { type BytePath, bytePathFromText, textOf } from '../domain/byte-path.ts';
import type { Change, Held } from '../domain/change.ts';
import { type Cause, checkpointMessage } from '../domain/checkpoint.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { RefUpdate, TreeChange } from '../git/repository.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './find.ts';
import type { Workplace } from './workplace.ts';

/** What a look at the files says beside the checkpoint. */
export interface Looked {
  readonly held: readonly Held[];
  readonly ignores: (path: BytePath) => boolean;
}

/**
 * Checkpoints these paths as they are now. Where it happens under a lock that the daemon takes too, it must not wait for
 * the daemon.
 */
export type LookAgain = (paths: readonly BytePath[]) => Promise<Looked>;

export interface FollowRequest {
  /** The commit HEAD is now. */
  readonly head: Oid;
  readonly cause: Cause;
  /** Where HEAD has to be for that; else `head-moved` (kind `conflict`) is thrown. Default: anywhere. */
  readonly from?: Oid;
  /** Made on the host: the agent's own repository must still be told. */
  readonly outside?: boolean;
  /** What the checkpoints hold: there the new commit says what is recorded, as nobody else could. */
  readonly held?: readonly Held[];
  /** For a commit that may hold what was written after the last checkpoint. Default: the branch has the files as they are. */
  readonly look?: LookAgain;
  /** Further updates that belong to the same transaction. */
  readonly also?: (environment: Environment) => Promise<readonly RefUpdate[]>;
}

export interface Followed {
  readonly environment: Environment;
  readonly tip: Oid;
  /** Where the folded tail is kept, when there was anything to keep. */
  readonly kept: RefName | undefined;
  /** Ignored paths that the tip has as the commit does, whatever the files are. */
  readonly unseen: readonly BytePath[];
}

/** Retries when a checkpoint lands in between: the new tip is folded then. */
export async function followHead(workplace: Workplace, start: Environment, request: FollowRequest): Promise<Followed> {
  for (let environment = start; ; ) {
    try {
      const { current, looked } = await lookAgain(workplace, environment, request);
      return await attempt(workplace, current, request, looked);
    } catch (error) {
      if (!hasCode(error, 'ref-moved')) throw error;
    }
    const reread = await readEnvironment(workplace, start.name);
    if (reread === undefined) return { environment, tip: environment.at.tip, kept: undefined, unseen: [] };
    environment = reread;
  }
}

/**
 * The files of a commit are at least as new as those of a checkpoint made before it was known: what the two have different
 * is compared with the files again, or a checkpoint on top of the commit would undo it for a moment.
 */
async function lookAgain(workplace: Workplace, environment: Environment, { head, look, held = [] }: FollowRequest) {
  const { at, name } = environment;
  const unchanged = { current: environment, looked: { held, ignores: () => false } };
  if (look === undefined || head === at.head) return unchanged;
  const changes = await workplace.repository.treeChanges(head, at.tip);
  if (changes.length === 0) return unchanged;
  const looked = await look(changes.map(({ path }) => path));
  return { current: (await readEnvironment(workplace, name)) ?? environment, looked };
}

async function attempt(
  workplace: Workplace,
  environment: Environment,
  request: FollowRequest,
  looked: Looked,
): Promise<Followed> {
  const { at, refs } = environment;
  if (request.from !== undefined && at.head !== request.from) throw headMoved(environment);
  const also = (await request.also?.(environment)) ?? [];
  const { tip, unseen } =
    request.head === at.head ? { tip: at.tip, unseen: [] } : await tipOver(workplace, environment, request, looked);
  const keep = request.head !== at.head && (await leavesBehind(workplace, at, request.head));
  const kept = keep ? refs.tail(await nextTail(workplace, environment)) : undefined;
  const updates: RefUpdate[] = [
    ...(tip === at.tip ? [] : [{ name: refs.branch, before: at.tip, after: tip }]),
    ...(request.head === at.head ? [] : [{ name: refs.head, before: at.head, after: request.head }]),
    ...(kept === undefined ? [] : [{ name: kept, before: null, after: at.tip }]),
    ...outsideUpdate(environment, request),
    ...also,
  ];
  if (updates.length > 0) await workplace.repository.updateRefs(updates, `coppice: ${request.cause}`);
  const next = { ...at, tip, head: request.head, outside: request.outside ? request.head : undefined };
  return { environment: { ...environment, at: next }, tip, kept, unseen };
}

export function headMoved({ name }: Environment): CoppiceError {
  return new CoppiceError('conflict', 'head-moved', `Somebody committed inside ${name} at the same moment.`, {
    hint: `Nothing was lost. Look at \`coppice log ${name}\` and try again.`,
  });
}

/** The commit itself where its tree is what the branch had; else a checkpoint on top with that tree. */
async function tipOver(
  workplace: Workplace,
  environment: Environment,
  request: FollowRequest,
  looked: Looked,
): Promise<Pick<Followed, 'tip' | 'unseen'>> {
  const { repository } = workplace;
  const [before, after] = await Promise.all([
    repository.readCommit(environment.at.tip),
    repository.readCommit(request.head),
  ]);
  const { tree, unseen } = await decidedBy(workplace, after.tree, before.tree, looked);
  if (tree === after.tree) return { tip: request.head, unseen };
  const message = checkpointMessage({
    environment: environment.name,
    cause: request.cause,
    changes: await changesBetween(workplace, after.tree, tree),
    execs: [],
    operation: undefined,
  });
  const author = environment.record.author;
  const tip = await repository.writeCommit({ tree, parents: [request.head], author, committer: author, message });
  return { tip, unseen };
}

/**
 * The files as they are, but each held path as the commit has it: git took what a checkpoint left out. So are submodules:
 * which commit of one is recorded is decided by whoever commits, never by what lies in its directory. Of an ignored path
 * the commit says whether it is tracked: added by force, or no longer.
 */
async function decidedBy(workplace: Workplace, commit: Oid, files: Oid, { held, ignores }: Looked) {
  if (commit === files) return { tree: files, unseen: [] };
  const { repository } = workplace;
  const changes = await repository.treeChanges(commit, files);
  const links = await submodulesIn(workplace, commit, changes);
  const isHeld = (path: BytePath) => held.some((one) => path === one.path || path.startsWith(`${one.path}/`));
  const isLeft = (path: BytePath) => [...links].some((link) => path.startsWith(`${link}/`));
  const isForced = (path: BytePath, before: unknown, after: unknown) =>
    (before === undefined || after === undefined) && ignores(path);
  const edits = changes.flatMap(({ path, before, after }) => {
    const text = textOf(path);
    if (bytePathFromText(text) !== path || isLeft(path)) return [];
    const isLink = links.has(path) || (before === undefined && after?.mode === '160000');
    return isLink || isHeld(path) || isForced(path, before, after) ? [{ path: text, entry: before ?? null }] : [];
  });
  const unseen = changes.filter(({ path, before, after }) => isForced(path, before, after)).map(({ path }) => path);
  return { tree: edits.length === 0 ? files : await repository.writeTree(files, edits), unseen };
}

/** Those that differ, and that the commit itself describes: a repository that only lies there is no submodule. */
async function submodulesIn(
  { repository }: Workplace,
  commit: Oid,
  changes: readonly TreeChange[],
): Promise<ReadonlySet<BytePath>> {
  const links = changes.filter(({ before }) => before?.mode === '160000').map(({ path }) => path);
  if (links.length === 0) return new Set();
  const described = (await repository.readBlobAt(commit, '.gitmodules'))?.toString('latin1') ?? '';
  const paths = new Set([...described.matchAll(/^\s*path\s*=\s*"?(.*?)"?\s*$/gm)].map(([, path]) => path));
  return new Set(links.filter((path) => paths.has(path)));
}

/** Whether moving HEAD would leave a commit or checkpoint unreachable. */
async function leavesBehind(workplace: Workplace, at: Environment['at'], head: Oid): Promise<boolean> {
  return at.tip !== at.head || !(await workplace.repository.isAncestor(at.head, head));
}

export async function nextTail(workplace: Workplace, environment: Environment): Promise<number> {
  const prefix = `${environment.refs.prefix}tails/`;
  const taken = await workplace.repository.listRefs(prefix);
  return 1 + Math.max(0, ...taken.map(({ name }) => Number(name.slice(prefix.length))).filter(Number.isInteger));
}

function outsideUpdate(environment: Environment, request: FollowRequest): readonly RefUpdate[] {
  const before = environment.at.outside ?? null;
  const after = request.outside ? request.head : null;
  return before === after ? [] : [{ name: environment.refs.outside, before, after }];
}

export async function changesBetween(workplace: Workplace, before: Oid, after: Oid): Promise<readonly Change[]> {
  const files = await workplace.repository.diffStat(before, after);
  return files.map(({ path, kind, added, removed }) => ({
    path,
    kind: kind === 'added' || kind === 'deleted' ? kind : 'modified',
    before: undefined,
    after: undefined,
    lines: added === null || removed === null ? undefined : { added, removed },
  }));
}
