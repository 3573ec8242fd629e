/** Creates an environment: one reference transaction reserves the name, the rest is built, anything that fails is undone. */
import { humanId } from 'human-id';
import type { Held } from '../domain/change.ts';
import { checkpointMessage } from '../domain/checkpoint.ts';
import type { EnvironmentRecord } from '../domain/environment.ts';
import { type EnvironmentName, parseEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import { hostRequestOf } from '../domain/host-access.ts';
import type { Oid } from '../domain/oid.ts';
import { refsOf } from '../domain/ref-layout.ts';
import { parseRefName, type RefName } from '../domain/ref-name.ts';
import type { Spec } from '../domain/spec.ts';
import { thisProcess } from '../platform/liveness.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { hostAccessOf } from './access/access.ts';
import { type Confirm, grant, questionOf, requireApproval } from './access/approval.ts';
import { refuseUnsafe } from './access/mount-risks.ts';
import { directoriesFor, type Environment, holdOf } from './environment.ts';
import { tellLeftOut } from './left-out.ts';
import { dismantle, materialize, type Timings } from './materialize.ts';
import { recordFile, serializeRecord, updateRecord, writeFirstRecord } from './record.ts';
import { deleteReferences } from './references.ts';
import { runSetup } from './setup.ts';
import { authorOf, type Start, type StartRequest, startOf } from './starting-point.ts';
import type { Report, Workplace } from './workplace.ts';

export interface CreateRequest extends StartRequest {
  readonly name: string | undefined;
  readonly title: string | undefined;
  readonly flags: Spec;
  /** Carries the checkout's uncommitted and untracked files along, as a first checkpoint. */
  readonly withChanges: boolean;
  /** For what the repository's file asks for. */
  readonly confirm?: Confirm | undefined;
}

export interface Created {
  readonly environment: Environment;
  readonly timings: Timings;
  /** Changes of the checkout that were not carried along. */
  readonly left: readonly Held[];
}

/** An abort of `signal` undoes what was begun. */
export async function createEnvironment(
  workplace: Workplace,
  request: CreateRequest,
  report: Report,
  signal: AbortSignal,
): Promise<Created> {
  const name = request.name === undefined ? undefined : parseEnvironmentName(request.name);
  const [start] = await Promise.all([startOf(workplace, request), workplace.repository.requireGit()]);
  const { record, runtime, access } = await plan(workplace, request, start, report);
  const changes = request.withChanges ? await changesOfCheckout(workplace, record) : undefined;
  if (record.spec.image !== null) {
    await runtime.prepareImage(record.spec.image, ({ message }) => report(message), signal);
  }
  if (runtime.kind === 'sandbox') await warnIfNotIsolated(runtime, report);
  stopIfAborted(signal);
  const beginning = { ...start, changes: changes?.tree };
  const environment = await reserve(workplace, name, async (free, branch) => {
    const named: EnvironmentRecord = { ...record, name: free, branch };
    return { record: named, base: start.base, tip: await firstTip(workplace, named, beginning) };
  });
  // The rest of it the user has asked for by hand, or in the settings.
  await grant(workplace, environment, access);
  const built = await build(workplace, environment, runtime, report, signal);
  return { ...built, left: changes?.held ?? [] };
}

async function changesOfCheckout({ repository, sieve }: Workplace, record: Pick<EnvironmentRecord, 'spec'>) {
  return repository.snapshotWorktree(await sieve(holdOf({ record })));
}

/** `changes`: a tree, where the branch begins with a checkpoint of it. */
interface Changed extends Start {
  readonly changes: Oid | undefined;
}

async function plan(workplace: Workplace, request: CreateRequest, start: Start, report: Report) {
  const { repository, surroundings } = workplace;
  const file = await repository.readBlobAt(start.base, '.coppice/environment.json');
  const { spec, runtime, asked } = await workplace.planSpec(request.flags, file, report);
  const question = await questionOf(workplace, 'repository', await hostAccessOf(workplace, asked));
  await requireApproval(workplace, question, approveCommand(request), request.confirm);
  const access = await hostAccessOf(workplace, hostRequestOf(spec));
  await refuseUnsafe(workplace, access.mounts);
  const record: Omit<EnvironmentRecord, 'name' | 'branch'> = {
    version: 1,
    title: request.title ?? null,
    target: start.target,
    createdAt: workplace.now().toISOString(),
    stage: 'creating',
    creator: { host: surroundings.hostname, ...thisProcess() },
    author: await authorOf(workplace),
    spec,
  };
  return { record, runtime, access };
}

function approveCommand({ from }: CreateRequest): string {
  return `coppice approve${from === undefined ? '' : ` --from ${from}`}`;
}

/** How many generated names are tried before giving up. */
const nameAttempts = 20;

/** What an environment begins with, once its name is known. */
export interface Beginning {
  readonly record: EnvironmentRecord;
  readonly base: Oid;
  /** The last commit, where that is not the base. */
  readonly head?: Oid;
  readonly tip: Oid;
  /** Kept as well, under `refs.conflict`. */
  readonly conflict?: Oid;
}

/** One transaction: all references or none, so that two creations of one name cannot both succeed. */
export async function reserve(
  workplace: Workplace,
  wanted: EnvironmentName | undefined,
  begin: (name: EnvironmentName, branch: RefName) => Promise<Beginning>,
): Promise<Environment> {
  for (let attempt = 1; ; attempt += 1) {
    const name = wanted ?? generateName();
    const refs = refsOf(name, workplace.settings.branchPrefix);
    const { record, base, head = base, tip, conflict } = await begin(name, refs.branch);
    const recordOid = await writeFirstRecord(workplace, record);
    const directories = directoriesFor(workplace, name);
    try {
      await workplace.repository.updateRefs(
        [
          { name: refs.branch, before: null, after: tip },
          { name: refs.base, before: null, after: base },
          { name: refs.head, before: null, after: head },
          { name: refs.record, before: null, after: recordOid },
          ...(conflict === undefined ? [] : [{ name: refs.conflict, before: null, after: conflict }]),
        ],
        `coppice: create ${name}`,
      );
    } catch (error) {
      const taken = hasCode(error, 'ref-moved') || hasCode(error, 'ref-name-taken');
      if (taken && wanted === undefined && attempt < nameAttempts) continue;
      throw taken ? nameTaken(name, refs.branch, error) : error;
    }
    const at = { tip, base, head, record: recordOid, outside: undefined, applied: undefined };
    const target = record.target === null ? undefined : parseRefName(record.target);
    return { name, record, refs, directories, at, target };
  }
}

async function firstTip(workplace: Workplace, record: EnvironmentRecord, start: Changed): Promise<Oid> {
  if (start.changes === undefined) return start.base;
  const { repository } = workplace;
  const { tree } = await repository.readCommit(start.base);
  if (tree === start.changes) return start.base;
  const files = await repository.diffStat(tree, start.changes);
  const message = checkpointMessage({
    environment: record.name,
    cause: 'changes of the checkout',
    changes: files.map(({ path, added, removed, kind }) => ({
      path,
      kind: kind === 'added' || kind === 'deleted' ? kind : 'modified',
      before: undefined,
      after: undefined,
      lines: added === null || removed === null ? undefined : { added, removed },
    })),
    execs: [],
    operation: undefined,
  });
  const author = record.author;
  return repository.writeCommit({ tree: start.changes, parents: [start.base], author, committer: author, message });
}

function generateName(): EnvironmentName {
  return parseEnvironmentName(humanId({ separator: '-', capitalize: false }));
}

function nameTaken(name: EnvironmentName, branch: RefName, cause: unknown): CoppiceError {
  return new CoppiceError('refused', 'name-taken', `The name ${name} is taken: ${branch} or its references exist.`, {
    hint: `Choose another name, or \`coppice remove ${name}\` first. A branch of your own in the way, such as one named coppice? Rename it, or set branchPrefix in your coppice settings.`,
    data: { name, branch },
    cause,
  });
}

/** Files, git, container, setup. Undone when it throws. */
export async function build(
  workplace: Workplace,
  environment: Environment,
  runtime: Runtime,
  report: Report,
  signal: AbortSignal,
): Promise<Omit<Created, 'left'>> {
  try {
    const timings = await materialize(workplace, environment, runtime);
    tellLeftOut(timings, report);
    stopIfAborted(signal);
    const stage = await runSetup(workplace, environment, report);
    const record: EnvironmentRecord = { ...environment.record, stage };
    const files = [{ path: recordFile, content: serializeRecord(record) }];
    const at = await updateRecord(workplace, environment.refs.record, files, stage);
    await workplace.daemon.notice(workplace.repository, environment.name);
    return { environment: { ...environment, record, at: { ...environment.at, record: at } }, timings };
  } catch (error) {
    await rollBack(workplace, environment);
    throw error;
  }
}

export function stopIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new CoppiceError('interrupted', 'interrupted', 'The creation was interrupted; nothing of it is left.');
}

async function warnIfNotIsolated(runtime: Runtime, report: Report): Promise<void> {
  const { isolated, description } = await runtime.probe();
  if (!isolated) report(`NOT ISOLATED: commands run on this machine as you (${description}).`);
}

/** Undoes a creation that failed or was interrupted: nobody has worked in it yet. */
export async function rollBack(workplace: Workplace, environment: Environment): Promise<void> {
  await dismantle(workplace, environment);
  await deleteReferences(workplace, environment, `coppice: roll back ${environment.name}`);
}
