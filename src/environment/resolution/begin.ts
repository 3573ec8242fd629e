/**
 * Gives a conflict an environment of its own: on the work of one side, in the middle of a merge of the other. Everything
 * is made on the host before anybody gets in; neither side is changed.
 */
import { checkpointMessage } from '../../domain/checkpoint.ts';
import type { ConflictRecord, EnvironmentRecord } from '../../domain/environment.ts';
import { type EnvironmentName, isEnvironmentName, parseEnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { RunsElsewhere } from '../../domain/runs-elsewhere.ts';
import type { MergeOutcome } from '../../git/merging.ts';
import { thisProcess } from '../../platform/liveness.ts';
import { withLock } from '../../platform/lock.ts';
import { grant, requireApprovedEnvironment } from '../access/approval.ts';
import { inProgress } from '../commit.ts';
import { build, reserve, stopIfAborted } from '../create.ts';
import type { Environment } from '../environment.ts';
import { changesBetween } from '../follow-head.ts';
import { mergeInside, type ResolvedInside } from '../merge/inside.ts';
import { mergeFrom, mergeStart } from '../merge/start.ts';
import { reconcileFully } from '../reconcile.ts';
import { findRuns } from '../runs-elsewhere.ts';
import { workOf } from '../work.ts';
import type { Report, Workplace } from '../workplace.ts';
import { fileOf, type Other, otherName } from './conflict.ts';
import { conflictedTree } from './conflicted-tree.ts';
import { isResolution, openResolutions, type Resolution } from './find.ts';

export interface BeginRequest {
  readonly other: Other;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export type Begun =
  | { readonly kind: 'existing'; readonly resolution: Resolution }
  | {
      readonly kind: 'begun';
      readonly resolution: Resolution;
      readonly resolved: readonly ResolvedInside[];
      /** What comes in that runs on the host or in CI: of the environment, and of the other one where it is one. */
      readonly runs: readonly RunsElsewhere[];
    }
  /** One side has all of the other, or they merge cleanly; where drivers or commands did that, with what they resolved. */
  | { readonly kind: 'no-conflict'; readonly environment: Environment; readonly resolved: readonly ResolvedInside[] };

/** Throws `operation-in-progress`, `unrelated-histories` (kind `refused`), and what creating an environment throws. */
export async function beginResolution(workplace: Workplace, start: Environment, request: BeginRequest): Promise<Begun> {
  return withLock(resolutionLock(workplace, start.name), async () => {
    const { other } = request;
    const open = await openResolutions(workplace, start);
    const existing = open.find(({ record }) => isSame(record.conflict.with, other));
    if (existing !== undefined) return { kind: 'existing', resolution: existing };
    const { environment, operation } = await reconcileFully(workplace, start);
    if (operation !== undefined) throw inProgress(environment, operation);
    const ours = await workOf(workplace, environment);
    const { outcome, resolved, shared } = await mergeOf(workplace, environment, ours, request);
    if (outcome.kind === 'clean') return { kind: 'no-conflict', environment, resolved };
    const draft = await draftOf(workplace, environment, ours, other, outcome);
    const known = other.kind === 'branch' ? other.commit : shared;
    const runs = known === undefined ? [] : await findRuns(workplace, known, draft.tree);
    return { kind: 'begun', resolution: await make(workplace, environment, draft, request), resolved, runs };
  });
}

/** As `coppice merge` would have it, the environment's side first: what drivers and commands inside resolve is no conflict. */
async function mergeOf(workplace: Workplace, environment: Environment, ours: Oid, { other, signal }: BeginRequest) {
  const { commit: theirs } = other;
  const start =
    other.kind === 'branch' ? await mergeStart(workplace, environment, other.name, theirs, ours) : undefined;
  const computed = await mergeFrom(workplace, start, ours, theirs, { style: 'zdiff3' });
  const shared = start?.tree ?? (await workplace.repository.mergeBase(ours, theirs));
  if (shared === undefined) return { outcome: computed, resolved: [], shared };
  const sides = { base: shared, ours: theirs, theirs: ours };
  const inside = await mergeInside(workplace, environment, computed, sides, { signal });
  stopIfAborted(signal);
  return { ...inside, shared };
}

/** Beginning, finishing and giving up the resolution of one environment's conflicts happen one after the other. */
export function resolutionLock({ repository }: Workplace, name: string): string {
  return `resolve ${repository.commonDirectory} ${name}`;
}

function isSame(known: ConflictRecord['with'], { kind, name }: Other): boolean {
  return known.kind === kind && known.name === name;
}

type Draft = Omit<ConflictRecord, 'left'> & { readonly tree: Oid };

async function draftOf(
  workplace: Workplace,
  environment: Environment,
  ours: Oid,
  other: Other,
  outcome: Extract<MergeOutcome, { kind: 'conflict' }>,
): Promise<Draft> {
  const { name, at } = environment;
  const theirs = other.commit;
  const others = { with: { kind: other.kind, name: other.name } };
  const { tree, recalled } = await conflictedTree(workplace, outcome, { ours: name, theirs: otherName(others) });
  return {
    environment: name,
    environmentCreatedAt: environment.record.createdAt,
    tip: at.tip,
    ...others,
    ours,
    theirs,
    head: ours,
    merging: theirs,
    tree,
    message: mergeMessage(other, name),
    shared: at.base,
    files: outcome.conflicts.map(fileOf),
    remembered: recalled.map(({ path }) => path),
  };
}

export function mergeMessage({ kind, name }: { readonly kind: Other['kind']; readonly name: string }, into: string) {
  return kind === 'branch'
    ? `Merge branch '${otherName({ with: { kind, name } })}' into ${into}`
    : `Merge environment ${name} into ${into}`;
}

async function make(
  workplace: Workplace,
  environment: Environment,
  draft: Draft,
  { report, signal }: BeginRequest,
): Promise<Resolution> {
  const { spec } = environment.record;
  const access = await requireApprovedEnvironment(workplace, environment);
  const runtime = await workplace.runtime(spec.runtime);
  if (spec.image !== null) await runtime.prepareImage(spec.image, ({ message }) => report(message), signal);
  stopIfAborted(signal);
  const kept = await keep(workplace, [draft.theirs], draft.files);
  const reserved = await reserveFree(workplace, environment.name, async (name, branch) => {
    const left = await leftCommit(workplace, environment, name, draft);
    const { tree, ...conflict } = draft;
    const record: EnvironmentRecord = {
      version: 1,
      name,
      branch,
      title: `Resolve ${environment.name} and ${otherName(draft)}`,
      target: environment.record.target,
      createdAt: workplace.now().toISOString(),
      stage: 'creating',
      creator: { host: workplace.surroundings.hostname, ...thisProcess() },
      author: environment.record.author,
      spec,
      conflict: { ...conflict, left },
    };
    return { record, base: draft.ours, tip: left, conflict: kept };
  });
  await grant(workplace, reserved, access);
  const built = await build(workplace, reserved, runtime, report, signal);
  if (isResolution(built.environment)) return built.environment;
  throw new CoppiceError('bug', 'no-conflict-record', `${reserved.name} was made without its conflict.`);
}

/** The files as the merge left them, as the first checkpoint. */
async function leftCommit(
  workplace: Workplace,
  environment: Environment,
  name: EnvironmentName,
  { ours, tree, ...draft }: Draft,
): Promise<Oid> {
  const message = checkpointMessage({
    environment: name,
    cause: `conflict of ${environment.name} and ${otherName(draft)}`,
    changes: await changesBetween(workplace, ours, tree),
    execs: [],
    operation: 'merge',
  });
  const author = environment.record.author;
  return workplace.repository.writeCommit({ tree, parents: [ours], author, committer: author, message });
}

/** Keeps the sides wherever their branches go, and the ancestors that git made of several and no commit has. */
export async function keep(
  { repository }: Workplace,
  sides: readonly Oid[],
  files: readonly Pick<ConflictRecord['files'][number], 'base'>[],
): Promise<Oid> {
  const bases = files.flatMap(({ base }) => (base === null || base.mode === '160000' ? [] : [base]));
  const tree = await repository.writeTree(
    null,
    bases.map(({ oid }, index) => ({ path: `base/${index}`, entry: { mode: '100644', oid: parseOid(oid) } })),
  );
  const author = { name: 'coppice', email: 'coppice@localhost' };
  return repository.writeCommit({ tree, parents: sides, author, committer: author, message: 'conflict\n' });
}

/** `login-resolve`, `login-resolve-2`, …: the first that is free. */
async function reserveFree(
  workplace: Workplace,
  of: EnvironmentName,
  begin: Parameters<typeof reserve>[2],
): Promise<Environment> {
  for (let attempt = 1; ; attempt += 1) {
    const name = resolutionName(of, attempt);
    try {
      return await reserve(workplace, name, begin);
    } catch (error) {
      if (!hasCode(error, 'name-taken') || attempt >= 100) throw error;
    }
  }
}

function resolutionName(of: EnvironmentName, attempt: number): EnvironmentName {
  const end = attempt === 1 ? '-resolve' : `-resolve-${attempt}`;
  const text = `${of.slice(0, 63 - end.length).replace(/[._-]+$/, '')}${end}`;
  return isEnvironmentName(text) ? text : parseEnvironmentName(`resolve-${attempt}`);
}
