/**
 * Makes the files of an environment equal to an earlier state of it. What is there is checkpointed first; then the files
 * are written, and one checkpoint with that state's tree says so. HEAD, index and commits inside stay as they are.
 */
import { type BytePath, textOf } from '../domain/byte-path.ts';
import type { Held } from '../domain/change.ts';
import { checkpointMessage, rewindTo } from '../domain/checkpoint.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import type { CommitInfo, TreeChange } from '../git/repository.ts';
import { closeDirectory, openTree } from '../platform/tree-reader.ts';
import { moveInto, removeFrom, type WriteFailure } from '../platform/tree-writer.ts';
import { refuseIfBusy } from './busy.ts';
import { inProgress } from './commit.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './find.ts';
import { changesBetween } from './follow-head.ts';
import { isMaterialized } from './materialize.ts';
import { obstacles } from './obstacles.ts';
import { reconcile, reconcileFully } from './reconcile.ts';
import { findTarget } from './rewind-target.ts';
import type { Workplace } from './workplace.ts';

export interface Rewound {
  readonly environment: Environment;
  readonly to: CommitInfo;
  /** The tip before: rewinding to it undoes this. */
  readonly before: Oid;
  /** The new checkpoint; undefined when the files were like that already. */
  readonly checkpoint: Oid | undefined;
  /** Paths that were written or removed. */
  readonly changed: readonly string[];
  /** Left as they are, because they are on no branch. */
  readonly held: readonly Held[];
  /** Could not be written or removed. */
  readonly failed: readonly Failed[];
  /** Differ from that state all the same: no longer ignored, or changed meanwhile. They are checkpointed on top. */
  readonly different: readonly string[];
}

export interface Failed {
  readonly path: string;
  readonly reason: WriteFailure;
}

export interface RewindRequest {
  /** A revision or a time. */
  readonly to: string;
  /** Though a command runs or a merge is under way inside. */
  readonly force: boolean;
}

/** Throws `environment-busy`, `operation-in-progress`, `in-the-way` (kind `refused`), and what `findTarget` throws. */
export async function rewind(workplace: Workplace, start: Environment, request: RewindRequest): Promise<Rewound> {
  if (!isMaterialized(start)) throw noFiles(start);
  if (!request.force) await refuseIfBusy(workplace, start, 'rewind all the same with --force');
  const watched = (await workplace.daemon.facts()) !== undefined;
  if (watched) await workplace.daemon.leave(workplace.repository, start.name);
  try {
    return await rewindUnwatched(workplace, start, request);
  } finally {
    if (watched) await workplace.daemon.notice(workplace.repository, start.name);
  }
}

async function rewindUnwatched(workplace: Workplace, start: Environment, request: RewindRequest): Promise<Rewound> {
  const { environment, operation, held } = await reconcileFully(workplace, start);
  if (operation !== undefined && !request.force) throw inProgress(environment, operation);
  const to = await findTarget(workplace, environment, request.to);
  const before = environment.at.tip;
  const done = { environment, to, before, checkpoint: undefined, changed: [], held, failed: [], different: [] };
  const changes = await workplace.repository.treeChanges(before, to.oid);
  if (changes.length === 0) return done;
  const writable = changes.filter((change) => !isSubmodule(change) && !touchesHeld(change.path, held));
  refuseObstacles(environment, writable);
  const failed = await writeFiles(workplace, environment, to.oid, writable);
  const checkpoint = await recordState(workplace, environment, to, operation);
  const after = await reconcile(workplace, await reread(workplace, environment), { cause: rewindTo(to.oid) });
  return {
    ...done,
    environment: after.environment,
    checkpoint,
    changed: writable.map(({ path }) => textOf(path)),
    held: after.held,
    failed,
    different: await differences(workplace, to.oid, after.environment.at.tip),
  };
}

/** A submodule's commit is not something that is checked out here; its directory stays. */
function isSubmodule({ before, after }: TreeChange): boolean {
  return before?.mode === '160000' || after?.mode === '160000';
}

function touchesHeld(path: BytePath, held: readonly Held[]): boolean {
  return held.some((one) => path === one.path || path.startsWith(`${one.path}/`));
}

function refuseObstacles(environment: Environment, changes: readonly TreeChange[]): void {
  const { name, directories } = environment;
  const paths = obstacles(directories.tree, changes).map(textOf);
  const [first] = paths;
  if (first === undefined) return;
  const more = paths.length > 1 ? ` and ${paths.length - 1} more` : '';
  throw new CoppiceError('refused', 'in-the-way', `${first}${more} would be lost: it is on no branch of ${name}.`, {
    hint: `Nothing was changed. Move it away: coppice exec ${name} -- mv …`,
    data: { name, paths },
  });
}

async function writeFiles(
  workplace: Workplace,
  { directories }: Environment,
  commit: Oid,
  changes: readonly TreeChange[],
): Promise<readonly Failed[]> {
  const failed: Failed[] = [];
  const note = (path: BytePath, reason: WriteFailure | undefined) => {
    if (reason !== undefined) failed.push({ path: textOf(path), reason });
  };
  const wanted = changes.filter(({ after }) => after !== undefined).map(({ path }) => path);
  await workplace.worktrees.withStaged(directories, commit, wanted, async (staged) => {
    const tree = openTree(directories.tree);
    try {
      // First what goes: a file may have to make room for a directory.
      for (const { path, after } of changes) if (after === undefined) note(path, removeFrom(tree, path));
      for (const path of wanted) note(path, moveInto(tree, path, staged.sourceOf(path)));
    } finally {
      closeDirectory(tree);
    }
  });
  return failed;
}

/**
 * The state's own tree on top of the branch, wherever that is by now. Written rather than found by a scan, so that what
 * was recorded once needs no leave to be recorded again, however much it is.
 */
async function recordState(
  workplace: Workplace,
  start: Environment,
  to: CommitInfo,
  operation: string | undefined,
): Promise<Oid> {
  const { repository } = workplace;
  const cause = rewindTo(to.oid);
  for (let environment = start; ; environment = await reread(workplace, start)) {
    const { name, at, refs, record } = environment;
    const changes = await changesBetween(workplace, at.tip, to.oid);
    const message = checkpointMessage({ environment: name, cause, changes, execs: [], operation });
    const person = record.author;
    const commit = await repository.writeCommit({
      tree: to.tree,
      parents: [at.tip],
      author: person,
      committer: person,
      message,
    });
    try {
      await repository.updateRefs([{ name: refs.branch, before: at.tip, after: commit }], `coppice: ${cause}`);
      return commit;
    } catch (error) {
      if (!hasCode(error, 'ref-moved')) throw error;
    }
  }
}

async function reread(workplace: Workplace, environment: Environment): Promise<Environment> {
  const now = await readEnvironment(workplace, environment.name);
  if (now !== undefined) return now;
  throw new CoppiceError('not-found', 'environment-gone', `${environment.name} was removed meanwhile.`, {
    hint: `\`coppice restore ${environment.name}\` brings it back.`,
  });
}

async function differences({ repository }: Workplace, wanted: Oid, tip: Oid): Promise<readonly string[]> {
  return (await repository.treeChanges(wanted, tip)).map(({ path }) => textOf(path));
}

function noFiles({ name }: Environment): CoppiceError {
  return new CoppiceError('unavailable', 'no-files', `${name} has no files on this machine.`, {
    hint: `\`coppice start ${name}\` checks them out.`,
    data: { name },
  });
}
