/**
 * Brings a resolution back to the environment whose conflict it was: its merge commit becomes HEAD there, by fast-forward
 * where that has not moved, else by a further merge. Where that conflicts too, it is resolved in the same place.
 */

import { textOf } from '../../domain/byte-path.ts';
import { isEnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { parseRefName } from '../../domain/ref-name.ts';
import { withLock } from '../../platform/lock.ts';
import { refuseIfBusy } from '../busy.ts';
import { runInside, runningContainer } from '../container.ts';
import type { Environment } from '../environment.ts';
import { readEnvironment } from '../find.ts';
import {
  abortInside,
  type GitMerged,
  gitMergeInside,
  type Inside,
  moveHead,
  refuseOverwriting,
  settled,
} from '../merge/git-merge.ts';
import { waitForQuiet } from '../quiet.ts';
import { reconcileFully, withContainerRunning } from '../reconcile.ts';
import { recordFile, serializeRecord, updateRecord } from '../record.ts';
import { removeEnvironment } from '../remove.ts';
import { workOf } from '../work.ts';
import type { Workplace } from '../workplace.ts';
import { keep, resolutionLock } from './begin.ts';
import { type ConcludeRequest, conclude } from './conclude.ts';
import { fileOf, otherName } from './conflict.ts';
import { isOf, isResolution, type Resolution } from './find.ts';
import { intentsOf } from './intents.ts';
import { noteFile, noteText } from './note.ts';

export interface FinishRequest extends ConcludeRequest {
  /** Seconds to wait for a quiet moment in the environment. */
  readonly wait: number;
  /** Though a command goes on writing there. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

export type Finished =
  | {
      readonly kind: 'resolved';
      readonly environment: Environment;
      /** The merge commit, and how it came there. */
      readonly commit: Oid;
      readonly how: 'fast-forward' | 'merge' | 'there-already';
      readonly trash: string | null;
    }
  /** The environment has moved on and conflicts again: the next merge waits in the same place. */
  | { readonly kind: 'conflicts-again'; readonly resolution: Resolution };

/** Repeatable: one that was cut short goes on where it was. */
export async function finishResolution(
  workplace: Workplace,
  start: Resolution,
  request: FinishRequest,
): Promise<Finished> {
  return withLock(resolutionLock(workplace, start.record.conflict.environment), async () => {
    const owner = await ownerOf(workplace, start);
    const resolution = await conclude(workplace, start, request);
    const brought = await withContainerRunning(workplace, owner, () => bring(workplace, owner, resolution, request));
    if (brought.kind === 'conflict')
      return { kind: 'conflicts-again', resolution: await again(workplace, resolution, brought.work) };
    const { trash } = await removeEnvironment(workplace, resolution, { force: true });
    return { kind: 'resolved', environment: brought.environment, commit: resolution.at.head, how: brought.how, trash };
  });
}

/** Gives up: neither side was ever touched, and what was resolved so far goes to the trash. */
export async function abortResolution(workplace: Workplace, resolution: Resolution, force: boolean) {
  return withLock(resolutionLock(workplace, resolution.record.conflict.environment), async () => {
    if (!force) await refuseIfBusy(workplace, resolution, 'give up all the same');
    return removeEnvironment(workplace, resolution, { force: true });
  });
}

async function ownerOf(workplace: Workplace, resolution: Resolution): Promise<Environment> {
  const { name, record } = resolution;
  const owner = record.conflict.environment;
  const found = isEnvironmentName(owner) ? await readEnvironment(workplace, owner) : undefined;
  if (found !== undefined && isOf(resolution, found)) return found;
  throw new CoppiceError('not-found', 'environment-gone', `${owner} was removed meanwhile.`, {
    hint: `\`coppice restore ${owner}\` brings it back; or merge what was resolved by itself: \`coppice merge ${name}\`.`,
    data: { environment: owner },
  });
}

type Brought =
  | {
      readonly kind: 'brought';
      readonly environment: Environment;
      readonly how: 'fast-forward' | 'merge' | 'there-already';
    }
  | { readonly kind: 'conflict'; readonly work: Oid };

async function bring(
  workplace: Workplace,
  start: Environment,
  resolution: Resolution,
  { wait, force, signal }: FinishRequest,
): Promise<Brought> {
  const { repository, merging } = workplace;
  const seen = await waitForQuiet(workplace, start, { wait, force, signal, anyway: 'bring it in' });
  const inside = await runningContainer(workplace, seen.environment);
  const environment = await settled(workplace, seen.environment, inside);
  const commit = resolution.at.head;
  if (await repository.isAncestor(commit, environment.at.head))
    return { kind: 'brought', environment, how: 'there-already' };
  const work = await presentWork(workplace, environment, resolution);
  const fast = await repository.isAncestor(work, commit);
  const outcome = fast ? undefined : await merging.merge(work, commit);
  if (outcome?.kind === 'conflict') return { kind: 'conflict', work };
  await refuseOverwriting(workplace, { environment, held: seen.held }, work, outcome?.tree ?? commit, resolution.name);
  const moved =
    work === environment.at.head ? { ...seen, environment } : await moveHead(workplace, environment, inside, work);
  const merged = await gitMergeInside(workplace, moved, inside, {
    commit,
    ref: parseRefName(`refs/remotes/coppice/${resolution.name}`),
    label: resolution.name,
    message: `Merge the resolution of the conflict with ${otherName(resolution.record.conflict)}`,
    shared: false,
  });
  if (merged.kind === 'conflict') {
    await abortInside(workplace, merged.environment, inside);
    return { kind: 'conflict', work };
  }
  return { kind: 'brought', environment: merged.environment, how: fast ? 'fast-forward' : 'merge' };
}

/**
 * What the environment has by now, as a commit that has what the resolution began from among its ancestors: only what has
 * changed since then shall meet the resolution, though the agent may have committed or rewritten all of it by itself.
 */
async function presentWork(workplace: Workplace, environment: Environment, { record }: Resolution): Promise<Oid> {
  const { repository } = workplace;
  const { ours } = record.conflict;
  const { at, name } = environment;
  if (await repository.isAncestor(at.head, ours)) return workOf(workplace, environment, ours);
  if (await repository.isAncestor(ours, at.head)) return workOf(workplace, environment);
  const { tree } = await repository.readCommit(at.tip);
  const author = (await repository.identity()) ?? record.author;
  const message = `Join what ${name} is now with what its conflict was resolved from\n`;
  return repository.writeCommit({ tree, parents: [at.head, ours], author, committer: author, message });
}

/** The next round: what the environment has by now is merged into what was resolved. */
async function again(workplace: Workplace, start: Resolution, work: Oid): Promise<Resolution> {
  const { environment: name, theirs } = start.record.conflict;
  return withContainerRunning(workplace, start, async () => {
    const inside = await runningContainer(workplace, start);
    const outcome = await workplace.merging.merge(start.at.head, work, { style: 'zdiff3' });
    const message = `Merge what ${name} did meanwhile`;
    const merged = await gitMergeInside(workplace, await reconcileFully(workplace, start), inside, {
      commit: work,
      ref: parseRefName(`refs/remotes/coppice/${name}`),
      label: name,
      message,
      shared: false,
    });
    // What git's drivers inside have resolved is no conflict.
    const open = merged.kind === 'conflict' ? merged.files.map(({ path }) => path) : [];
    const conflicts = outcome.kind === 'conflict' ? outcome.conflicts : [];
    const files = conflicts.filter(({ path }) => open.includes(textOf(path))).map(fileOf);
    const remembered = merged.kind === 'conflict' ? merged.remembered : [];
    const owner = await ownerOf(workplace, start);
    const conflict = {
      ...start.record.conflict,
      ...{ tip: owner.at.tip, ours: work, head: start.at.head, merging: work, left: merged.environment.at.tip },
      ...{ message, files, remembered: [...remembered] },
    };
    await noteRound(workplace, merged, conflict, [theirs, work]);
    const next = await readEnvironment(workplace, start.name);
    if (next === undefined || !isResolution(next)) {
      throw new CoppiceError('not-found', 'environment-gone', `${start.name} was removed meanwhile.`, {
        hint: `\`coppice restore ${start.name}\` brings it back.`,
      });
    }
    await rewriteNote(workplace, next, inside);
    return next;
  });
}

async function noteRound(
  workplace: Workplace,
  { environment }: GitMerged,
  conflict: Resolution['record']['conflict'],
  sides: readonly Oid[],
): Promise<void> {
  const { repository } = workplace;
  const { refs, record } = environment;
  const before = (await repository.readRef(refs.conflict)) ?? null;
  const after = await keep(workplace, sides, conflict.files);
  await repository.updateRefs([{ name: refs.conflict, before, after }], 'coppice: conflict');
  const files = [{ path: recordFile, content: serializeRecord({ ...record, conflict }) }];
  await updateRecord(workplace, refs.record, files, 'conflict again');
}

/** From inside: the host follows no name in a home that others write to. */
async function rewriteNote(
  workplace: Workplace,
  resolution: Resolution,
  { runtime, container }: Inside,
): Promise<void> {
  const text = noteText(await intentsOf(workplace, resolution.record.conflict));
  const script = `cd && rm -f ${noteFile} && printf %s "$COPPICE_NOTE" > ${noteFile}`;
  await runInside(runtime, container.id, ['sh', '-c', script], { environment: { COPPICE_NOTE: text } });
}
