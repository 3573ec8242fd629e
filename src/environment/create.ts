/** Creates an environment: one reference transaction reserves the name, the rest is built, anything that fails is undone. */
import { humanId } from 'human-id';
import { checkpointMessage } from '../domain/checkpoint.ts';
import type { EnvironmentRecord } from '../domain/environment.ts';
import { type EnvironmentName, parseEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { refsOf } from '../domain/ref-layout.ts';
import { parseBranch, type RefName, shortName } from '../domain/ref-name.ts';
import type { Spec } from '../domain/spec.ts';
import type { Head } from '../git/repository.ts';
import { thisProcess } from '../platform/liveness.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { directoriesFor, type Environment } from './environment.ts';
import { dismantle, materialize, type Timings } from './materialize.ts';
import { recordFile, serializeRecord, updateRecord, writeFirstRecord } from './record.ts';
import { deleteReferences } from './references.ts';
import { runSetup } from './setup.ts';
import type { Report, Workplace } from './workplace.ts';

export interface CreateRequest {
  readonly name: string | undefined;
  /** A revision; default: the caller's HEAD. */
  readonly from: string | undefined;
  readonly target: string | undefined;
  readonly title: string | undefined;
  /** Carries the checkout's uncommitted and untracked files along, as a first checkpoint. */
  readonly withChanges: boolean;
  readonly flags: Spec;
}

export interface Created {
  readonly environment: Environment;
  readonly timings: Timings;
}

export async function createEnvironment(
  workplace: Workplace,
  request: CreateRequest,
  report: Report,
): Promise<Created> {
  const name = request.name === undefined ? undefined : parseEnvironmentName(request.name);
  const start = await startOf(workplace, request);
  const { record, runtime } = await plan(workplace, request, start);
  if (record.spec.image !== null) {
    await runtime.prepareImage(record.spec.image, ({ message }) => report(message));
  }
  const environment = await reserve(workplace, name, record, start);
  return build(workplace, environment, runtime, report);
}

interface Start {
  readonly base: Oid;
  /** Where the branch begins: the base, or a checkpoint with the caller's uncommitted changes on it. */
  readonly changes: Oid | undefined;
  readonly target: RefName | null;
}

async function startOf(workplace: Workplace, request: CreateRequest): Promise<Start> {
  const { repository } = workplace;
  const head = await repository.head();
  const base = await baseOf(workplace, request.from, head);
  const target = request.target === undefined ? defaultTarget(head) : parseBranch(request.target);
  if (request.target !== undefined && target !== null && (await repository.readRef(target)) === undefined) {
    throw new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(target)} to go back to.`, {
      hint: '`git branch` lists them; leave --target out to go back to the branch that is checked out.',
    });
  }
  const changes = request.withChanges ? await repository.snapshotWorktree() : undefined;
  return { base, changes, target };
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

async function plan(workplace: Workplace, request: CreateRequest, start: Start) {
  const { repository, surroundings } = workplace;
  const file = await repository.readBlobAt(start.base, '.coppice/environment.json');
  const { spec, runtime } = await workplace.planSpec(request.flags, file);
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
  return { record, runtime };
}

async function authorOf(workplace: Workplace) {
  const known = await workplace.repository.identity();
  const { userName, hostname } = workplace.surroundings;
  return known ?? { name: userName, email: `${userName}@${hostname}` };
}

/** How many generated names are tried before giving up. */
const nameAttempts = 20;

/** One transaction: all references or none, so that two creations of one name cannot both succeed. */
async function reserve(
  workplace: Workplace,
  wanted: EnvironmentName | undefined,
  draft: Omit<EnvironmentRecord, 'name' | 'branch'>,
  start: Start,
): Promise<Environment> {
  for (let attempt = 1; ; attempt += 1) {
    const name = wanted ?? generateName();
    const refs = refsOf(name, workplace.settings.branchPrefix);
    const record: EnvironmentRecord = { ...draft, name, branch: refs.branch };
    const recordOid = await writeFirstRecord(workplace, record);
    const tip = await firstTip(workplace, record, start);
    const directories = directoriesFor(workplace, name);
    try {
      await workplace.repository.updateRefs(
        [
          { name: refs.branch, before: null, after: tip },
          { name: refs.base, before: null, after: start.base },
          { name: refs.head, before: null, after: start.base },
          { name: refs.record, before: null, after: recordOid },
        ],
        `coppice: create ${name}`,
      );
    } catch (error) {
      const taken = hasCode(error, 'ref-moved') || hasCode(error, 'ref-name-taken');
      if (taken && wanted === undefined && attempt < nameAttempts) continue;
      throw taken ? nameTaken(name, refs.branch, error) : error;
    }
    const at = { tip, base: start.base, head: start.base, record: recordOid, outside: undefined, applied: undefined };
    return { name, record, refs, directories, at, target: start.target ?? undefined };
  }
}

async function firstTip(workplace: Workplace, record: EnvironmentRecord, start: Start): Promise<Oid> {
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
    hint: `Choose another name, or \`coppice remove ${name}\` first. A branch of your own in the way? Set branchPrefix.`,
    data: { name, branch },
    cause,
  });
}

async function build(
  workplace: Workplace,
  environment: Environment,
  runtime: Runtime,
  report: Report,
): Promise<Created> {
  try {
    const timings = await materialize(workplace, environment, runtime);
    const stage = await runSetup(workplace, environment, report);
    const record: EnvironmentRecord = { ...environment.record, stage };
    const files = [{ path: recordFile, content: serializeRecord(record) }];
    const at = await updateRecord(workplace, environment.refs.record, files, stage);
    await workplace.daemon.notice(workplace.repository);
    return { environment: { ...environment, record, at: { ...environment.at, record: at } }, timings };
  } catch (error) {
    await rollBack(workplace, environment);
    throw error;
  }
}

/** Undoes a creation that failed or was interrupted: nobody has worked in it yet. */
export async function rollBack(workplace: Workplace, environment: Environment): Promise<void> {
  await dismantle(workplace, environment);
  await deleteReferences(workplace, environment, `coppice: roll back ${environment.name}`);
}
