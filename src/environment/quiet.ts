/** Waits for a moment at which nobody is changing the files of an environment. */
import { CoppiceError } from '../domain/error.ts';
import { inProgress } from './commit.ts';
import type { Environment } from './environment.ts';
import { type Reconciled, reconcile, reconcileFully } from './reconcile.ts';
import { describeCommand, runningExecs } from './running-execs.ts';
import type { Workplace } from './workplace.ts';

/** How long nothing may have changed while a command runs, and how often that is looked at, in milliseconds. */
const spell = 2_000;
const interval = 400;

export interface QuietRequest {
  /** Seconds to wait for it while a command runs. */
  readonly wait: number;
  /** Not to wait at all. */
  readonly force: boolean;
  /** As in “sync all the same”. */
  readonly anyway: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Everything is checkpointed then. Throws `operation-in-progress` for a merge or rebase inside, and `environment-busy`
 * for a command that goes on writing.
 */
export async function waitForQuiet(
  workplace: Workplace,
  start: Environment,
  request: QuietRequest,
): Promise<Reconciled> {
  const until = performance.now() + request.wait * 1000;
  let seen = await look(workplace, start);
  let since = performance.now();
  for (;;) {
    const running = request.force ? [] : await runningExecs(workplace.repository.commonDirectory, start.name);
    const [command] = running;
    if (command === undefined || performance.now() - since >= spell) return reconcileIn(workplace, seen);
    if (performance.now() >= until) throw busy(start, describeCommand(command.command), request);
    if (request.signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', 'Waiting was interrupted.');
    await new Promise((resolve) => setTimeout(resolve, interval));
    const now = await look(workplace, start);
    if (now.state !== seen.state) since = performance.now();
    seen = now;
  }
}

interface Look {
  readonly reconciled: Reconciled;
  /** Differs when files, HEAD or branches inside changed. */
  readonly state: string;
}

async function look(workplace: Workplace, environment: Environment): Promise<Look> {
  const reconciled = await reconcile(workplace, environment);
  const hint = await workplace.agentGit.readHeadHint(environment.directories.git);
  return { reconciled, state: `${reconciled.environment.at.tip} ${hint}` };
}

async function reconcileIn(workplace: Workplace, { reconciled }: Look): Promise<Reconciled> {
  const full = await reconcileFully(workplace, reconciled.environment);
  if (full.operation !== undefined) throw inProgress(full.environment, full.operation);
  return full;
}

function busy({ name }: Environment, command: string, { wait, anyway }: QuietRequest): CoppiceError {
  return new CoppiceError('refused', 'environment-busy', `${command} is running in ${name}, and goes on writing.`, {
    hint: `Wait longer with --wait ${Math.max(60, wait * 6)}, or ${anyway} with --force.`,
    data: { name, running: command },
  });
}
