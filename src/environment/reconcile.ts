/** Makes git say what is true: files checkpointed, the agent's commits brought out, commits made outside brought in. */

import type { Held } from '../domain/change.ts';
import type { Cause } from '../domain/checkpoint.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import type { Checkpointer } from '../git/checkpointer.ts';
import { requireApprovedEnvironment } from './access/approval.ts';
import { findContainer } from './container.ts';
import { checkpointerRequest, type Environment, watchKeyOf } from './environment.ts';
import { readEnvironment } from './find.ts';
import type { LookAgain } from './follow-head.ts';
import { type FilesSeen, hasNewCommits, importCommits } from './import-commits.ts';
import { isMaterialized } from './materialize.ts';
import { causeOf, runningExecs } from './running-execs.ts';
import { type Saved, untilSettled, withSaving } from './saving.ts';
import { saveSubmodules } from './submodules.ts';
import type { AskedCheckpoint, Workplace } from './workplace.ts';

export interface ReconcileOptions {
  /** Default: what runs in it, or `edit`. */
  readonly cause?: Cause;
  readonly execs?: readonly string[];
  /** Read every file again: before work is handed over or put away. */
  readonly rehash?: boolean;
  /** To look with, instead of the daemon's or a new one: it knows the files already. The caller closes it. */
  readonly checkpointer?: Checkpointer;
}

export interface Reconciled {
  readonly environment: Environment;
  readonly checkpoint: Oid | undefined;
  readonly held: readonly Held[];
  /** `merge`, `rebase`, … under way inside. */
  readonly operation: string | undefined;
  /** Commits inside could not be brought out, and why. They stay where they are. */
  readonly notImported: CoppiceError | undefined;
}

export async function reconcile(
  workplace: Workplace,
  environment: Environment,
  options: ReconcileOptions = {},
): Promise<Reconciled> {
  if (!isMaterialized(environment)) {
    return { environment, checkpoint: undefined, held: [], operation: undefined, notImported: undefined };
  }
  const { name, directories, refs, at } = environment;
  await workplace.worktrees.ensureRegistered({ name, directories, branch: refs.branch, tip: at.tip });
  const operation = await workplace.agentGit.operationInProgress(directories.git);
  const request = await requestFor(workplace, environment, options, operation);
  return withSaving(workplace, environment, options.checkpointer, async (save) => {
    const byDaemon = options.rehash || options.checkpointer !== undefined ? undefined : request;
    const done = byDaemon && (await untilSettled(() => askDaemon(workplace, environment, byDaemon)));
    let saved = done ?? (await save(request));
    const current = (await readEnvironment(workplace, environment.name)) ?? environment;
    const look: LookAgain = async (paths) => {
      const again = await save({ ...request, paths });
      saved = { ...again, checkpoint: again.checkpoint ?? saved.checkpoint };
      return again;
    };
    const { imported, notImported } = await tryImport(workplace, current, { held: saved.held, look });
    const held = await withSubmodules(workplace, imported, saved);
    if (imported.at.tip !== environment.at.tip) await bringIndexAlong(workplace, imported);
    return { environment: imported, checkpoint: saved.checkpoint, held, operation, notImported };
  });
}

/** What is told of a submodule takes the place of what a look from outside could say. */
async function withSubmodules(
  workplace: Workplace,
  environment: Environment,
  { held, submodules }: Saved,
): Promise<readonly Held[]> {
  if (submodules.length === 0) return held;
  const inside = await saveSubmodules(workplace, environment, submodules);
  const others = held.filter(({ path }) => !submodules.includes(path));
  return [...others, ...inside].sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** So that `git status` typed in the worktree on the host tells the truth. Somebody's git may hold the index: next time. */
export async function bringIndexAlong(workplace: Workplace, { name, at }: Environment): Promise<void> {
  try {
    await workplace.worktrees.refreshIndex(name, at.tip);
  } catch (error) {
    if (!hasCode(error, 'index-locked')) throw error;
  }
}

/** What the files are saved as: by the daemon or here. */
async function requestFor(
  workplace: Workplace,
  environment: Environment,
  { cause, execs, rehash = false }: ReconcileOptions,
  operation: string | undefined,
) {
  const running = await runningExecs(workplace.repository.commonDirectory, environment.name);
  return {
    cause: cause ?? causeOf(running),
    execs: execs ?? running.map(({ id }) => id),
    rehash,
    ...(operation === undefined ? {} : { operation }),
  };
}

function askDaemon(
  workplace: Workplace,
  environment: Environment,
  { cause, execs }: Pick<AskedCheckpoint, 'cause' | 'execs'>,
  announcedOnly = false,
): Promise<Saved | undefined> {
  const about = { key: watchKeyOf(workplace, environment), name: environment.name };
  return workplace.daemon.checkpoint(workplace.repository, { ...about, cause, execs, announcedOnly });
}

/**
 * What was edited until now is saved as that: by the daemon, which has watched, or by a look at everything. What looked
 * then is returned, for the next look; the caller closes it.
 */
export async function saveEdits(workplace: Workplace, environment: Environment): Promise<Checkpointer | undefined> {
  const edits = { cause: 'edit', execs: [] };
  const saved = await askDaemon(workplace, environment, edits, true);
  if (saved !== undefined || !isMaterialized(environment)) return undefined;
  const checkpointer = await workplace.openCheckpointer(checkpointerRequest(environment));
  try {
    await reconcile(workplace, environment, { ...edits, checkpointer });
    return checkpointer;
  } catch (error) {
    await checkpointer.close();
    throw error;
  }
}

async function tryImport(workplace: Workplace, environment: Environment, seen: FilesSeen) {
  if (!(await hasNewCommits(workplace, environment))) return { imported: environment, notImported: undefined };
  try {
    return { imported: await importCommits(workplace, environment, seen), notImported: undefined };
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    return { imported: environment, notImported: error };
  }
}

/** As `reconcile`, but commits that cannot be brought out are an error: for what hands work over or puts it away. */
export async function reconcileFully(
  workplace: Workplace,
  environment: Environment,
  options: ReconcileOptions = {},
): Promise<Reconciled> {
  const first = await reconcile(workplace, environment, { rehash: true, ...options });
  await workplace.housekeep();
  if (first.notImported === undefined) return first;
  if (!hasCode(first.notImported, 'not-running')) throw first.notImported;
  const { environment: stopped, operation } = first;
  const request = await requestFor(workplace, stopped, { rehash: true, ...options }, operation);
  const imported = await withContainerRunning(workplace, stopped, () =>
    withSaving(workplace, stopped, options.checkpointer, (save) => {
      const look: LookAgain = (paths) => save({ ...request, paths });
      return importCommits(workplace, stopped, { held: first.held, look });
    }),
  );
  return { ...first, environment: imported, notImported: undefined };
}

/** Starts a stopped container for the time of `body` only. */
export async function withContainerRunning<Result>(
  workplace: Workplace,
  environment: Environment,
  body: () => Promise<Result>,
): Promise<Result> {
  const container = await findContainer(workplace, environment);
  if (container === undefined) {
    throw new CoppiceError('unavailable', 'not-running', `The environment ${environment.name} has no container.`, {
      hint: `\`coppice start ${environment.name}\` makes it anew.`,
    });
  }
  if (container.state === 'running') return body();
  // What is mounted is looked up again at the start: links may lead elsewhere by now.
  await requireApprovedEnvironment(workplace, environment);
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  await runtime.start(container.id);
  try {
    return await body();
  } finally {
    await runtime.stop(container.id);
  }
}
