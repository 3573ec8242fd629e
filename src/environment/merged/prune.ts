/**
 * Clears away what is done with. Environments go through `remove`, which saves them under refs/coppice/trash first and asks
 * all its own questions again; of the rest only what nothing refers to is touched.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryDirectory } from '../../domain/directories.ts';
import { type EnvironmentName, isEnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { shortOid } from '../../domain/oid.ts';
import { shortName } from '../../domain/ref-name.ts';
import { runtimeKinds } from '../../domain/spec.ts';
import { ifPresent } from '../../platform/errno.ts';
import { processesIn } from '../../platform/processes-in.ts';
import { type Container, labels, type Runtime } from '../../runtime/runtime.ts';
import { repositoryLabels } from '../container.ts';
import { directoriesFor, type Environment } from '../environment.ts';
import { findEnvironment, listEnvironments, readEnvironment } from '../find.ts';
import { sweepInterrupted, wasInterrupted } from '../interrupted.ts';
import { isMaterialized } from '../materialize.ts';
import { updateRecord } from '../record.ts';
import { removeEnvironment } from '../remove.ts';
import { cacheDirectory } from '../running-execs.ts';
import { bringBackReferences, listTrash, type Trashed } from '../trash.ts';
import type { Workplace } from '../workplace.ts';
import { type Asked, type AskOptions, askForges, type ForgeAnswer, type NotAsked } from './ask.ts';
import { mergedState, type Verdict } from './merged.ts';
import { judge, type Rules, whyFailed } from './prune-environments.ts';
import { serializeWord, wordFile } from './word.ts';

export interface PruneRequest extends Rules {
  /** Only these environments and nothing else; empty: everything. */
  readonly names: readonly string[];
  /** What was removed before `before` goes for good. */
  readonly trash: boolean;
  readonly dryRun: boolean;
  /** How to ask forges; undefined: not at all. */
  readonly ask: AskOptions | undefined;
}

export type PruneKind =
  | 'environment'
  | 'creation'
  | 'removal'
  | 'container'
  | 'registration'
  | 'leftover'
  | 'cache'
  | 'trash';

export interface Pruned {
  readonly kind: PruneKind;
  readonly name: string;
  readonly reason: string;
  /** The trash reference that keeps it; null where there is nothing to keep, and in a dry run. */
  readonly trash: string | null;
}

/** What stays although somebody may have expected it to go. */
export interface Kept {
  readonly name: string;
  readonly reason: string;
}

export type PruneEvent =
  | ({ readonly what: 'pruned' } & Pruned)
  | ({ readonly what: 'kept' } & Kept)
  | ({ readonly what: 'not-asked' } & NotAsked);

const kept = (name: string, reason: string): PruneEvent => ({ what: 'kept', name, reason });

export async function* prune(workplace: Workplace, request: PruneRequest): AsyncGenerator<PruneEvent> {
  if (request.names.length > 0) {
    const named: Environment[] = [];
    for (const name of request.names) named.push(await findEnvironment(workplace, name));
    yield* pruneEnvironments(workplace, named, request);
    return;
  }
  // Before the environments are listed: their references come first in the world and go last, so that what belongs to none
  // of those listed now belongs to none at all.
  const found = await lookAround(workplace);
  const broken = new Set<string>();
  const environments = await listEnvironments(workplace, (name, error) => {
    if (!(error instanceof CoppiceError)) throw error;
    broken.add(name);
  });
  yield* pruneEnvironments(workplace, environments, request);
  for (const name of broken) yield kept(name, 'its record cannot be read: see coppice doctor');
  const known = new Set<string>([...environments.map(({ name }) => name), ...broken]);
  yield* pruneRemovals(workplace, found, known, request);
  yield* pruneContainers(found, known, request);
  yield* pruneFiles(workplace, found, known, request);
  if (request.trash) yield* pruneTrash(workplace, request);
}

async function* pruneEnvironments(
  workplace: Workplace,
  environments: readonly Environment[],
  request: PruneRequest,
): AsyncGenerator<PruneEvent> {
  const { answers, notAsked } = await askAbout(workplace, environments, request);
  for (const each of notAsked) yield { what: 'not-asked', ...each };
  for (const environment of environments) {
    yield* pruneEnvironment(workplace, environment, request, answers.get(environment.name));
  }
}

/** Only about those that git alone does not find in their target. */
async function askAbout(
  workplace: Workplace,
  environments: readonly Environment[],
  { ask }: PruneRequest,
): Promise<Asked> {
  const ready = environments.filter(({ record }) => record.stage !== 'creating');
  if (ask === undefined || ready.length === 0) return { answers: new Map(), notAsked: [] };
  const open: Environment[] = [];
  for (const environment of ready) {
    const verdict = await mergedState(workplace, environment);
    if (verdict.state === 'unmerged' && !verdict.reverted) open.push(environment);
  }
  return askForges(workplace, open, ask);
}

async function* pruneEnvironment(
  workplace: Workplace,
  environment: Environment,
  request: PruneRequest,
  answer: ForgeAnswer = {},
): AsyncGenerator<PruneEvent> {
  const { name } = environment;
  if (wasInterrupted(workplace, environment)) {
    if (!request.dryRun) await sweepInterrupted(workplace, [environment]);
    yield { what: 'pruned', kind: 'creation', name, reason: 'its creation was interrupted', trash: null };
    return;
  }
  if (environment.record.stage === 'creating') return yield kept(name, 'it is being created');
  const judgement = await judge(workplace, environment, request, answer);
  if (!request.dryRun) await keepWord(workplace, environment, answer);
  if (!judgement.done) return yield kept(name, judgement.why);
  const reason = sayWhy(environment, judgement.verdict);
  if (request.dryRun) return yield { what: 'pruned', kind: 'environment', name, reason, trash: null };
  try {
    const now = (await readEnvironment(workplace, name)) ?? environment;
    const { trash } = await removeEnvironment(workplace, now, { force: false });
    yield { what: 'pruned', kind: 'environment', name, reason, trash };
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    yield kept(name, await whyFailed(workplace, environment, error));
  }
}

/** Known from then on to `list`, `show` and `remove` too, which ask nobody. */
async function keepWord(workplace: Workplace, { refs }: Environment, { word }: ForgeAnswer): Promise<void> {
  if (word === undefined) return;
  try {
    const file = { path: wordFile, content: serializeWord(word) };
    await updateRecord(workplace, refs.record, [file], `merged as ${word.reference}`);
  } catch (error) {
    // Somebody else has removed it by now.
    if (!hasCode(error, 'environment-gone')) throw error;
  }
}

function sayWhy({ target }: Environment, verdict: Verdict): string {
  const where = target === undefined ? '' : shortName(target);
  if (verdict.state !== 'merged') return 'nothing was ever changed in it';
  const { revertedFiles: reverted } = verdict;
  const since = reverted === undefined ? '' : `; ${reverted.count} of ${reverted.of} files reverted since`;
  return howMerged(verdict, where) + since;
}

function howMerged(verdict: Extract<Verdict, { state: 'merged' }>, where: string): string {
  if (verdict.by === 'forge') {
    const { reference, url, behind } = verdict.pull;
    return `merged into ${where} as ${reference} (${url})${behind ? `, which was not pulled yet` : ''}`;
  }
  const ways = {
    ancestry: `merged into ${where}`,
    'same-tree': `${where} has the same files`,
    content: `${where} has all of its work`,
    'moved-on': `${where} had all of its work at ${shortOid(verdict.commit)} and has moved on`,
    commits: `${where} has each of its commits`,
  };
  return ways[verdict.by];
}

interface Surveyed {
  readonly containers: readonly { readonly runtime: Runtime; readonly container: Container }[];
  readonly directories: readonly EnvironmentName[];
  readonly caches: readonly EnvironmentName[];
}

async function lookAround(workplace: Workplace): Promise<Surveyed> {
  const { surroundings, repository } = workplace;
  const containers: { runtime: Runtime; container: Container }[] = [];
  for (const kind of runtimeKinds) {
    try {
      const runtime = await workplace.runtime(kind);
      for (const container of await runtime.list(repositoryLabels(workplace))) containers.push({ runtime, container });
    } catch (error) {
      // An engine that does not answer has nothing that could be told to belong to nobody.
      if (!(error instanceof CoppiceError) || error.kind !== 'unavailable') throw error;
    }
  }
  const own = repositoryDirectory(surroundings.dataDirectory, repository.id);
  return {
    containers,
    directories: await namesIn(own),
    caches: await namesIn(join(repository.commonDirectory, 'coppice', 'environments')),
  };
}

async function namesIn(directory: string): Promise<readonly EnvironmentName[]> {
  return ((await ifPresent(readdir(directory))) ?? []).filter(isEnvironmentName);
}

/** Milliseconds that a removal may take between saving and deleting: it may still be under way. */
const underWay = 10 * 60_000;

/** Directories whose environment is in the trash: their removal is completed, with whatever was written there since saved too. */
async function* pruneRemovals(
  workplace: Workplace,
  { directories }: Surveyed,
  known: ReadonlySet<string>,
  { dryRun }: PruneRequest,
): AsyncGenerator<PruneEvent> {
  for (const name of directories.filter((each) => !known.has(each))) {
    const { root } = directoriesFor(workplace, name);
    const reason = 'its removal was interrupted';
    const newest = (await listTrash(workplace, name)).at(-1);
    if (!isMaterialized({ directories: directoriesFor(workplace, name) })) {
      // Never whole, so nobody has worked in it; a removal takes a whole one away in one step.
      if (!dryRun) await workplace.worktrees.remove(name, directoriesFor(workplace, name));
      yield { what: 'pruned', kind: 'removal', name, reason: 'it was never completed', trash: newest?.ref ?? null };
    } else if (newest === undefined) {
      yield kept(name, `${root} belongs to no environment and was never saved: look at it, and delete it by hand`);
    } else if (await isRecent(workplace, newest)) yield kept(name, 'it is being removed');
    else if (processesIn(root).length > 0) yield kept(name, 'somebody is in its directory');
    else if (dryRun) yield { what: 'pruned', kind: 'removal', name, reason, trash: newest.ref };
    else yield { what: 'pruned', kind: 'removal', name, reason, trash: await completeRemoval(workplace, newest) };
  }
}

async function isRecent({ repository, now }: Workplace, { oid }: Trashed): Promise<boolean> {
  const { committer } = await repository.readCommit(oid);
  return now().getTime() - committer.seconds * 1000 < underWay;
}

async function completeRemoval(workplace: Workplace, newest: Trashed): Promise<string | null> {
  const { environment } = await bringBackReferences(workplace, newest);
  return (await removeEnvironment(workplace, environment, { force: true })).trash;
}

async function* pruneContainers(
  { containers }: Surveyed,
  known: ReadonlySet<string>,
  { dryRun }: PruneRequest,
): AsyncGenerator<PruneEvent> {
  for (const { runtime, container } of containers) {
    if (known.has(container.labels[labels.environment] ?? '')) continue;
    if (!dryRun) await runtime.remove(container.id);
    const reason = 'it belongs to no environment';
    yield { what: 'pruned', kind: 'container', name: container.name, reason, trash: null };
  }
}

async function* pruneFiles(
  workplace: Workplace,
  { caches }: Surveyed,
  known: ReadonlySet<string>,
  { dryRun }: PruneRequest,
): AsyncGenerator<PruneEvent> {
  const { worktrees, repository } = workplace;
  for (const name of await worktrees.abandoned()) {
    if (known.has(name)) continue;
    if (!dryRun) await worktrees.remove(name, directoriesFor(workplace, name));
    const reason = 'neither its environment nor its directory is there';
    yield { what: 'pruned', kind: 'registration', name: `coppice-${name}`, reason, trash: null };
  }
  for (const path of await worktrees.leftovers()) {
    if (!dryRun) await worktrees.removeLeftover(path);
    yield { what: 'pruned', kind: 'leftover', name: path, reason: 'left by a process that was killed', trash: null };
  }
  for (const name of caches.filter((each) => !known.has(each))) {
    const directory = cacheDirectory(repository.commonDirectory, name);
    if (!dryRun) await rm(directory, { recursive: true, force: true });
    yield { what: 'pruned', kind: 'cache', name: directory, reason: 'its environment is gone', trash: null };
  }
}

/** The only thing here that cannot be undone. */
async function* pruneTrash(workplace: Workplace, { before, dryRun }: PruneRequest): AsyncGenerator<PruneEvent> {
  const { repository } = workplace;
  if (before === undefined) return;
  for (const { ref, oid } of await listTrash(workplace)) {
    const { committer } = await repository.readCommit(oid);
    const removed = new Date(committer.seconds * 1000);
    if (removed >= before) continue;
    if (!dryRun) await repository.updateRefs([{ name: ref, before: oid, after: null }], 'coppice: prune trash');
    yield { what: 'pruned', kind: 'trash', name: ref, reason: `removed ${removed.toISOString()}`, trash: null };
  }
}
