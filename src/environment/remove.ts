/** Removes an environment: checkpoint, stop, save under trash, take down. Refuses to lose anything on the way. */
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CoppiceError, hasCode } from '../domain/error.ts';
import { shortName } from '../domain/ref-name.ts';
import { refuseIfBusy } from './busy.ts';
import { findContainer } from './container.ts';
import type { Environment } from './environment.ts';
import { sweepInterrupted, wasInterrupted } from './interrupted.ts';
import { dismantle, isMaterialized } from './materialize.ts';
import { mergedState } from './merged/merged.ts';
import { readLeftInside } from './mirror-branches.ts';
import { type Reconciled, reconcile, reconcileFully } from './reconcile.ts';
import { putAway } from './trash.ts';
import type { Workplace } from './workplace.ts';

export interface Removed {
  /** The reference that keeps it; null for a creation that was only rolled back. */
  readonly trash: string | null;
  /** Where the agent's git directory was put because its commits could not be brought out; null when all of them were. */
  readonly left: string | null;
  /** The engine did not answer: its container may still be there. */
  readonly containerLeft: boolean;
}

export async function removeEnvironment(
  workplace: Workplace,
  environment: Environment,
  options: { readonly force: boolean },
): Promise<Removed> {
  if (wasInterrupted(workplace, environment)) {
    await sweepInterrupted(workplace, [environment]);
    return { trash: null, left: null, containerLeft: false };
  }
  if (!options.force) await refuseIfBusy(workplace, environment, 'remove it all the same with --force');
  const before = await lastLook(workplace, environment, options.force);
  if (!options.force) await refuseIfUnmerged(workplace, before);
  await stopIfRunning(workplace, environment, options.force);
  await workplace.daemon.leave(workplace.repository, environment.name);
  try {
    return await takeAway(workplace, before.environment, options.force);
  } finally {
    // Gone, or, if that failed, still there and to be watched again.
    await workplace.daemon.notice(workplace.repository, environment.name);
  }
}

/** Nothing can write any more: what is there now is what is kept. */
async function takeAway(workplace: Workplace, environment: Environment, force: boolean): Promise<Removed> {
  const last = await reconcile(workplace, environment, { cause: 'remove', rehash: true });
  if (last.notImported !== undefined && !force) throw unreachable(environment, last.notImported);
  const trash = await putAway(workplace, last.environment, last.held);
  // Some branch or stash may be left inside although HEAD came out.
  const isOut = last.notImported === undefined && (await readLeftInside(workplace, environment)).length === 0;
  const left = isOut ? null : await setAside(workplace, environment, environment.directories.git);
  const asked = await dismantle(workplace, environment, { withoutEngine: force });
  return { trash, left, containerLeft: !asked };
}

/** What cannot be brought out or understood is not thrown away: it is kept beside the environments. */
export async function setAside(
  workplace: Workplace,
  { name, directories }: Environment,
  directory: string,
): Promise<string> {
  const stamp = workplace
    .now()
    .toISOString()
    .replace(/[-:]|\.\d+/g, '');
  const left = join(dirname(directories.root), `.left-${name}-${stamp}`);
  await rename(directory, left);
  return left;
}

/** With --force an engine that does not answer is no obstacle: `doctor` finds the container when it is back. */
async function stopIfRunning(workplace: Workplace, environment: Environment, force: boolean): Promise<void> {
  try {
    const container = await findContainer(workplace, environment);
    const runtime = await workplace.runtime(environment.record.spec.runtime);
    if (container?.state === 'running') await runtime.stop(container.id);
  } catch (error) {
    if (!force || !hasCode(error, 'engine-unreachable')) throw error;
  }
}

/** With --force, commits that cannot be brought out are no obstacle either: see `setAside`. */
async function lastLook(workplace: Workplace, environment: Environment, force: boolean): Promise<Reconciled> {
  if (!isMaterialized(environment)) return reconcile(workplace, environment);
  const seen = force
    ? await reconcile(workplace, environment, { rehash: true })
    : await reconcileFully(workplace, environment);
  if (seen.notImported === undefined) return seen;
  try {
    return await reconcileFully(workplace, environment);
  } catch (error) {
    if (force && error instanceof CoppiceError) return seen;
    throw error instanceof CoppiceError ? unreachable(environment, error) : error;
  }
}

function unreachable({ name }: Environment, cause: CoppiceError): CoppiceError {
  const why = `Commits made inside ${name} cannot be brought out: ${cause.message}`;
  return new CoppiceError('refused', 'commits-unreachable', why, {
    hint: `${cause.hint ?? ''} With --force the agent's git directory is kept aside.`.trim(),
    cause,
  });
}

async function refuseIfUnmerged(workplace: Workplace, { environment, held }: Reconciled): Promise<void> {
  const verdict = await mergedState(workplace, environment);
  const { name, target } = environment;
  if (verdict.state === 'unmerged') {
    const where = target === undefined ? 'any branch' : shortName(target);
    const why = verdict.reverted
      ? `${name} was merged into ${where} and reverted there.`
      : `${name} has work that is not in ${where}.`;
    throw new CoppiceError('refused', 'unmerged-work', why, {
      hint: `\`coppice merge ${name}\` first, or put it away unmerged with --force; \`coppice restore ${name}\` brings it back.`,
      data: { name, target: target === undefined ? null : shortName(target) },
    });
  }
  if (held.length > 0) {
    throw new CoppiceError(
      'refused',
      'held-files',
      `${name} holds ${held.length} changed files that are on no branch.`,
      {
        hint: `\`coppice status ${name}\` lists them. With --force they are saved with the environment.`,
        data: { name, held: held.length },
      },
    );
  }
}
