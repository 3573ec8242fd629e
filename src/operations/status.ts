/** `status`: what is going on in an environment now. */
import * as z from 'zod/mini';
import { noDenials } from '../domain/network.ts';
import { denialsOf } from '../environment/access/network.ts';
import { knownConflicts } from '../environment/conflicts/known.ts';
import { readyEnvironments } from '../environment/conflicts/up-to-date.ts';
import { findEnvironment } from '../environment/find.ts';
import { findLeaks, findLeaksElsewhere } from '../environment/leaks.ts';
import { readLeftInside } from '../environment/mirror-branches.ts';
import { reconcile } from '../environment/reconcile.ts';
import { describeCommand, runningExecs } from '../environment/running-execs.ts';
import { leakElsewhereView, leakView, renderLeaks, renderLeaksElsewhere } from './leak-view.ts';
import { conflictMark, containersByName, paintState, renderUnknown } from './list.ts';
import { deniedView, describeNetwork, networkView, renderDenied } from './network-view.ts';
import { nameArgument, operation, type Style } from './operation.ts';
import { count } from './show.ts';
import { accessView, age, environmentView, heldView, renderAccess, renderHeld, safe, stateOf } from './views.ts';

export const status = operation({
  name: 'status',
  summary: 'Tell the state of an environment: what runs in it, what is uncommitted, what is held back',
  effect: 'read',
  tool: {
    title: 'State of an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({ name: nameArgument() }),
  async run(context, { name }) {
    const workplace = await context.workplace();
    const reconciled = await reconcile(workplace, await findEnvironment(workplace, name));
    const { environment, held, operation: underWay, notImported } = reconciled;
    const { repository, daemon } = workplace;
    const { at } = environment;
    const [containers, tail, tip, execs, facts, leaks, leaksElsewhere, access, left] = await Promise.all([
      containersByName(workplace, [environment]),
      repository.log({ start: at.tip, exclude: [at.head] }),
      repository.readCommit(at.tip),
      runningExecs(repository.commonDirectory, environment.name),
      daemon.facts(),
      findLeaks(workplace, environment),
      findLeaksElsewhere(workplace, environment),
      accessView(workplace, environment),
      readLeftInside(workplace, environment),
    ]);
    const all = (await readyEnvironments(workplace)).map((each) =>
      each.name === environment.name ? environment : each,
    );
    const conflictsOf = await knownConflicts(workplace, all, ({ at: { tip: own, base } }) => own === base);
    const watched = facts?.environments.find(
      (each) => each.name === environment.name && each.repository === repository.id,
    );
    const container = containers.of(environment);
    const runtime = await workplace.runtime(environment.record.spec.runtime);
    const denied =
      container === undefined || container === 'unknown'
        ? noDenials
        : await denialsOf(workplace, environment, runtime, container);
    return {
      ...environmentView(environment),
      state: stateOf(environment, container),
      unknown: containers.problems,
      operation: underWay ?? null,
      checkpoints: tail.length,
      lastCheckpoint: {
        subject: tip.message.split('\n')[0] ?? '',
        date: new Date(tip.committer.seconds * 1000).toISOString(),
      },
      running: execs.map(({ command }) => describeCommand(command)),
      watch: watched?.watch ?? ('none' as const),
      watchProblem: watched?.lastError ?? watched?.reason ?? null,
      network: networkView(environment.record.spec.network),
      denied: { total: denied.total, recent: deniedView(denied.recent) },
      access,
      conflicts: conflictsOf(environment),
      held: heldView(held),
      /** Branches made inside that are not in the repository. */
      branchesLeft: left.map(({ branches, why }) => ({ count: branches.length, branches: branches.slice(0, 20), why })),
      leaks: leakView(leaks),
      /** On other branches made inside, and in what amends and rebases left behind. */
      leaksElsewhere: leakElsewhereView(leaksElsewhere),
      problem: notImported === undefined ? null : `commits inside are not brought out yet: ${notImported.message}`,
    };
  },
  render(it, style) {
    const last = `last: ${safe(it.lastCheckpoint.subject)}, ${age(new Date(it.lastCheckpoint.date), style.now)} ago`;
    const parts = [
      `${style.bold(it.name)}  ${paintState(it.state, style)}${it.operation === null ? '' : `, ${it.operation} under way inside`}`,
      ...renderUnknown(it.unknown, style).map((line) => `  ${line}`),
      it.checkpoints === 0
        ? '  nothing uncommitted'
        : `  ${count(it.checkpoints, 'checkpoint')} since the last commit; ${last}`,
      ...it.running.map((command) => `  ${style.green('runs')} ${safe(command)}`),
      watchLine(it.watch, it.watchProblem, style),
      conflictMark(it.conflicts.with, style),
      it.problem === null ? '' : `  ${style.red(safe(it.problem, 400))}`,
      it.network.mode === 'open' ? '' : `  network ${describeNetwork(it.network)}`,
      renderDenied(it.name, it.denied, style),
      renderAccess(it.access, it.name, style),
      renderHeld(it.held, style),
      ...it.branchesLeft.map((each) => style.yellow(leftLine(each))),
      renderLeaks(it.leaks, style),
      renderLeaksElsewhere(it.name, it.leaksElsewhere, style),
    ];
    return parts.filter((part) => part !== '').join('\n');
  },
});

/** Of some nobody knows how many there are: git refused to bring out any. */
function leftLine({ count: many, branches, why }: { count: number; branches: readonly string[]; why: string }): string {
  const names = `${branches.slice(0, 3).join(', ')}${many > 3 ? ', …' : ''}`;
  const what = many === 0 ? 'other branches' : `${count(many, 'branch', 'branches')} (${safe(names)})`;
  return `  only inside: ${what}: ${safe(why, 300)}`;
}

function watchLine(watch: 'events' | 'polling' | 'none', problem: string | null, style: Style): string {
  if (watch === 'none')
    return style.dim('  no daemon watches it: changes are checkpointed by the next command that looks');
  const why = problem === null ? '' : `: ${safe(problem, 300)}`;
  if (watch === 'polling') return style.yellow(`  watch: polling${why}`);
  return problem === null ? '' : style.red(`  the daemon fails${why}`);
}
