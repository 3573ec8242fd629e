/** `land`: many environments into their target at once, checked together, the guilty sorted out. */
import { availableParallelism } from 'node:os';
import * as z from 'zod/mini';
import type { EnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError } from '../domain/error.ts';
import { parseBranch, shortName } from '../domain/ref-name.ts';
import type { RunsElsewhere } from '../domain/runs-elsewhere.ts';
import { runtimeKinds } from '../domain/spec.ts';
import { conflictView } from '../environment/conflicts/view.ts';
import { readEnvironment } from '../environment/find.ts';
import { land as landAll } from '../environment/land/land.ts';
import { removeEnvironment } from '../environment/remove.ts';
import type { Workplace } from '../environment/workplace.ts';
import { flag, namesArgument, operation, type Style } from './operation.ts';
import { count } from './show.ts';
import { refuseRunsFlag } from './tell-runs.ts';
import { reasons, runsAsk } from './tool.ts';
import { heldView, plainStyle, renderRuns, runsView, safe, sayResolved, short } from './views.ts';

export const land = operation({
  name: 'land',
  summary: 'Land several environments at once in their target branch, checked together; those that break it stay out',
  details:
    'Merges them in order on objects, one merge commit each (--squash: one plain commit), and moves the branch once. Merge drivers, commands that make lock files anew, and the repository’s merge and message hooks run in the container of the environment that is merged, at its place in the order, as with `merge`; one that a hook refuses stays out. With a check command (--check, or "check" in .coppice/environment.json on the branch) the result has to pass it first, in a throw-away worktree and container; where it fails, those that fail alone or together with one before them are found by halving and stay out, with the output of their check. With --jobs parts of the result are checked at the same time, so that it is known sooner who fails. What conflicts stays out as well, and is said with what. Uncommitted checkpoints become a commit first, of those that land. Exit status: 4 when some did not land for a conflict, else 1 for the check, 6 for another reason.',
  effect: 'write',
  tool: {
    title: 'Land several environments',
    idempotent: true,
    openWorld: true,
    bindable: false,
    defaults: { refuseRuns: true },
    asks: {
      refuseRuns: runsAsk,
      skipCheck: 'what lands would be unchecked',
      noVerify: reasons.noVerify,
      runtime: reasons.runtime,
      allowSecrets: reasons.allowSecrets,
    },
  },
  version: 1,
  input: z.strictObject({
    names: namesArgument(
      'The environments, in this order. Default: all that are meant for the branch, the oldest first.',
    ),
    into: flag(z.optional(z.string()), { help: 'The branch to land in. Default: their target.', value: 'BRANCH' }),
    squash: flag(z._default(z.boolean(), false), { help: 'One plain commit of each instead of a merge commit.' }),
    check: flag(z.optional(z.string()), {
      help: 'Shell command that the result has to pass. Default: that of the branch’s .coppice/environment.json.',
      value: 'CMD',
    }),
    skipCheck: flag(z._default(z.boolean(), false), { help: 'Run no check.' }),
    jobs: flag(z.optional(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(64))), {
      help: 'Checks and hooks at one time. Default: half as many as there are processors.',
      short: '-j',
      value: 'N',
    }),
    noCache: flag(z._default(z.boolean(), false), {
      help: 'Run the check also where its result for the same files is known.',
    }),
    timeout: flag(z._default(z.coerce.number().check(z.positive()), 3600), {
      help: 'Seconds one check may take. Default: an hour.',
      value: 'S',
    }),
    runtime: flag(z.optional(z.enum(runtimeKinds)), {
      help: 'What runs the check. Default: as the environments, where they are alike.',
      value: 'KIND',
    }),
    image: flag(z.optional(z.string()), { help: 'OCI image the check runs in, or machine.', value: 'REF' }),
    noVerify: flag(z._default(z.boolean(), false), { help: 'Skip the repository’s hooks.' }),
    useResolutions: flag(z._default(z.boolean(), false), {
      help: 'Resolve conflicts as they were resolved before (coppice resolve --remembered).',
    }),
    allowMarkers: flag(z._default(z.boolean(), false), { help: 'Even with conflict markers in changed files.' }),
    allowSecrets: flag(z._default(z.boolean(), false), {
      help: 'Even with what looks like a secret in the agents’ commits.',
    }),
    refuseRuns: refuseRunsFlag(),
    remove: flag(z._default(z.boolean(), false), { help: 'Remove those that landed.' }),
    dryRun: flag(z._default(z.boolean(), false), {
      help: 'Only say what would be merged and what conflicts; no check and no hook is run.',
      short: '-n',
    }),
  }),
  async run(context, input) {
    if (input.check !== undefined && input.skipCheck) {
      throw new CoppiceError('usage', 'options-clash', '--check and --skip-check exclude each other.', {
        hint: 'Give one of them.',
      });
    }
    const workplace = await context.workplace();
    const request = {
      names: input.names ?? [],
      into: input.into === undefined ? undefined : parseBranch(input.into),
      check: input.skipCheck ? null : input.check,
      flags: {
        ...(input.runtime === undefined ? {} : { runtime: input.runtime }),
        ...(input.image === undefined ? {} : { image: input.image }),
      },
      timeoutSeconds: input.timeout,
      cache: !input.noCache,
      jobs: input.jobs ?? Math.max(1, Math.floor(availableParallelism() / 2)),
      squash: input.squash,
      noVerify: input.noVerify,
      useResolutions: input.useResolutions,
      refuseRuns: input.refuseRuns,
      onRuns: (name: EnvironmentName, runs: readonly RunsElsewhere[]) =>
        context.report(`${name}: ${renderRuns(runsView(runs), plainStyle)}`),
      dryRun: input.dryRun,
      allowMarkers: input.allowMarkers,
      allowSecrets: input.allowSecrets,
    };
    const done = await landAll(workplace, request, context.report, context.signal);
    const landed = done.landed.map(({ name, commit, candidate, hooks, hookOutput, resolved, runs }) => ({
      name: name as string,
      commit: commit as string,
      hooks: hooks as string,
      hookOutput,
      resolved,
      runs: runsView(runs),
      held: heldView(candidate.held),
    }));
    const remove = input.remove && !input.dryRun;
    return {
      into: shortName(done.into),
      before: done.before as string,
      after: done.after as string,
      worktree: done.worktree,
      dryRun: input.dryRun,
      check: done.check ?? null,
      checks: done.checks,
      landed,
      failed: done.failed.map(({ name, with: partners, checked }) => ({
        name: name as string,
        with: partners as readonly string[],
        exit: checked.exit,
        seconds: checked.seconds,
        output: checked.output,
      })),
      conflicts: done.conflicts.map(({ name, with: others, conflicts, output }) => ({
        name: name as string,
        with: others,
        output,
        files: conflictView(conflicts),
      })),
      refused: done.refused.map(({ name, error }) => ({
        name: name as string,
        code: error.code,
        message: error.message,
        hint: error.hint ?? null,
      })),
      contained: done.contained as readonly string[],
      removed: remove
        ? await removeLanded(
            workplace,
            done.landed.map(({ name }) => name),
            context.report,
          )
        : [],
    };
  },
  render(it, style) {
    const { into, landed, dryRun, worktree, after } = it;
    const lines = landed.map(({ name, commit, held, hookOutput, resolved }) => {
      const left = held.length === 0 ? '' : style.yellow(`  ${held.length} held`);
      const what = dryRun ? style.green('would land') : style.green('landed');
      // What a rehearsal has made is not what will be there.
      const head = `  ${what}  ${style.bold(name)}${dryRun ? '' : `  ${style.dim(short(commit))}`}${left}`;
      return [
        head,
        ...resolved.map((each) => `      ${sayResolved(each, style)}`),
        ...indented(hookOutput, style),
      ].join('\n');
    });
    const head =
      landed.length === 0
        ? `Nothing ${dryRun ? 'would land' : 'landed'} in ${into}.`
        : dryRun
          ? `In ${into}, nothing of it done yet:`
          : `${into}: ${style.yellow(short(after))}${worktree === null ? '' : style.dim(`, checked out in ${worktree}`)}`;
    const parts = [
      head,
      ...lines,
      ...it.failed.map((each) => sayFailed(each, it.check ?? '', style)),
      ...it.conflicts.map((each) => sayConflict(each, style)),
      ...it.refused.map(({ name, message, hint }) =>
        [`  ${style.red('refused')}  ${style.bold(name)}  ${safe(message)}`, ...indented(hint ?? '', style)].join('\n'),
      ),
      ...it.contained.map((name) => style.dim(`  in it already  ${name}`)),
      it.removed.length === 0
        ? ''
        : style.dim(`removed ${it.removed.join(', ')}; bring one back with: coppice restore NAME`),
      it.check === null ? '' : style.dim(`${count(it.checks.run, 'check')} run, ${it.checks.known} known from before`),
      it.conflicts.length === 0 || dryRun ? '' : style.dim('resolve a conflict with: coppice resolve NAME'),
    ];
    return parts.filter((part) => part !== '').join('\n');
  },
  exitStatus({ conflicts, failed, refused }) {
    if (conflicts.length > 0) return 4;
    if (failed.length > 0) return 1;
    return refused.length > 0 ? 6 : 0;
  },
});

/** What stands against removing one is told, and no reason to fail: it has landed. */
async function removeLanded(
  workplace: Workplace,
  names: readonly EnvironmentName[],
  report: (message: string) => void,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of names) {
    const environment = await readEnvironment(workplace, name);
    if (environment === undefined) continue;
    try {
      await removeEnvironment(workplace, environment, { force: false });
      removed.push(name);
    } catch (error) {
      if (!(error instanceof CoppiceError)) throw error;
      report(`${name} stays: ${error.message}`);
    }
  }
  return removed;
}

/** Lines of a failed check that people see; --json has more. */
const mostLines = 20;

function sayFailed(
  { name, with: partners, exit, output }: { name: string; with: readonly string[]; exit: number; output: string },
  check: string,
  style: Style,
): string {
  const together = partners.length === 0 ? '' : ` together with ${partners.join(', ')}`;
  const head = `  ${style.red('failed')}  ${style.bold(name)}  ${safe(check, 60)}${together}: exit ${exit}`;
  return [head, ...indented(output, style)].join('\n');
}

function indented(output: string, style: Style): readonly string[] {
  const said = output.trimEnd().split('\n').slice(-mostLines);
  return said.filter((line) => line !== '').map((line) => `      ${style.dim(safe(line, 1000))}`);
}

function sayConflict(
  {
    name,
    with: others,
    files,
    output,
  }: { name: string; with: readonly string[]; files: ReturnType<typeof conflictView>; output: string },
  style: Style,
): string {
  const whom = others.length === 0 ? 'those before it, taken together' : others.join(', ');
  const head = `  ${style.red('conflict')}  ${style.bold(name)}  with ${whom}`;
  const listed = files.slice(0, 20).map(({ path, kind }) => `      ${safe(path)}  ${style.dim(kind)}`);
  const more = files.length > 20 ? [`      … and ${files.length - 20} more`] : [];
  return [head, ...listed, ...more, ...indented(output, style)].join('\n');
}
