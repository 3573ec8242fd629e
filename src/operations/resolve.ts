/** `resolve`: a conflict gets an environment of its own, and what is resolved there comes back. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { parseBranch, parseRefName, shortName } from '../domain/ref-name.ts';
import type { RunsElsewhere } from '../domain/runs-elsewhere.ts';
import { inProgress } from '../environment/commit.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment } from '../environment/find.ts';
import { mergeInto } from '../environment/merge/deliver.ts';
import type { ResolvedInside } from '../environment/merge/inside.ts';
import type { Merged, MergeRequest } from '../environment/merge/request.ts';
import { reconcile, reconcileFully } from '../environment/reconcile.ts';
import { beginResolution } from '../environment/resolution/begin.ts';
import type { Other } from '../environment/resolution/conflict.ts';
import { findResolution, isResolution, type Resolution } from '../environment/resolution/find.ts';
import { abortResolution, finishResolution } from '../environment/resolution/finish.ts';
import { forget, listRemembered } from '../environment/resolution/memory.ts';
import { workOf } from '../environment/work.ts';
import type { Workplace } from '../environment/workplace.ts';
import { type Context, flag, nameArgument, operation, type Style } from './operation.ts';
import { type ResolutionView, renderResolution, resolutionView } from './resolution-view.ts';
import { refuseRunsFlag, tellRuns } from './tell-runs.ts';
import { reasons, runsAsk } from './tool.ts';
import { type RunsView, runsView, safe, sayResolved, short } from './views.ts';

const modes = ['continue', 'abort', 'remembered', 'forget'] as const;

export const resolve = operation({
  name: 'resolve',
  summary: 'Resolve a conflict in an environment of its own; how it was resolved is remembered',
  details:
    'NAME-resolve stands on the work of NAME, in the middle of a git merge of the target: MERGE_HEAD, zdiff3 markers, unmerged index. Resolve it there with an editor, an agent or a merge tool, and commit with git or --continue. What both sides meant is in ~/CONFLICT.md inside and in `coppice show`. Nothing else is touched until then. What merge drivers and `merge.regenerate` commands inside resolve is no conflict. The same conflict is resolved as before when it comes up again, but never committed unseen.',
  effect: 'write',
  tool: {
    title: 'Resolve a conflict',
    idempotent: false,
    openWorld: true,
    bindable: false,
    defaults: { refuseRuns: true },
    asks: {
      refuseRuns: runsAsk,
      noVerify: reasons.noVerify,
    },
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    into: flag(z.optional(z.string()), {
      help: 'The branch it conflicts with. Default: the target.',
      value: 'BRANCH',
    }),
    with: flag(z.optional(z.string()), { help: 'Another environment it conflicts with.', value: 'NAME' }),
    continue: flag(z._default(z.boolean(), false), {
      help: 'Commit the merge where that is not done, and bring it back to the environment.',
    }),
    abort: flag(z._default(z.boolean(), false), { help: 'Give up; everything is as it was before.' }),
    message: flag(z.optional(z.string()), { help: 'Message of the merge commit.', short: '-m', value: 'MSG' }),
    merge: flag(z._default(z.boolean(), false), { help: 'With --continue: then merge into the branch as well.' }),
    noVerify: flag(z._default(z.boolean(), false), { help: 'Skip the hooks; the commit says so in a trailer.' }),
    allowMarkers: flag(z._default(z.boolean(), false), { help: 'Even with conflict markers in changed files.' }),
    wait: flag(z._default(z.coerce.number().check(z.minimum(0)), 10), {
      help: 'Seconds to wait while a command goes on writing in the environment. Default: 10.',
      value: 'S',
    }),
    force: flag(z._default(z.boolean(), false), { help: 'Even while a command goes on writing.', short: '-f' }),
    refuseRuns: refuseRunsFlag(),
    remembered: flag(z._default(z.boolean(), false), { help: 'List the resolutions that are remembered.' }),
    forget: flag(z.optional(z.string()), {
      help: 'Forget the resolutions of a file, or the one with this id.',
      value: 'PATH',
    }),
  }),
  async run(context, input) {
    const given = modes.filter((mode) => input[mode] !== false && input[mode] !== undefined);
    if (given.length > 1) throw clash(given.map((mode) => `--${mode}`));
    if (input.into !== undefined && input.with !== undefined) throw clash(['--into', '--with']);
    const workplace = await context.workplace();
    if (input.remembered) return { ...nothing, action: 'remembered', memory: await listRemembered(workplace) };
    if (input.forget !== undefined) {
      return { ...nothing, action: 'forgotten', memory: await forget(workplace, input.forget) };
    }
    const other = input.with ?? input.into;
    if (input.abort) return abort(workplace, await findResolution(workplace, input.name, other), input.force);
    if (input.continue) return finish(context, await findResolution(workplace, input.name, other), input);
    return begin(context, await findEnvironment(workplace, input.name), input);
  },
  render,
  exitStatus: ({ action }) => (action === 'conflicts-again' ? 4 : 0),
});

type Action =
  | 'begun'
  | 'existing'
  | 'no-conflict'
  | 'resolved'
  | 'conflicts-again'
  | 'aborted'
  | 'remembered'
  | 'forgotten';

export interface Answer {
  readonly action: Action;
  /** The environment whose conflict it is. */
  readonly environment: string | null;
  /** The one made for it, while it is there. */
  readonly resolution: ({ readonly name: string; readonly worktree: string } & ResolutionView) | null;
  readonly with: string | null;
  /** The merge commit of the resolution, and how the environment got it. */
  readonly commit: string | null;
  readonly how: string | null;
  readonly merged: { readonly into: string; readonly after: string } | null;
  /** What drivers and commands resolved, which is no conflict any more. */
  readonly resolved: readonly ResolvedInside[];
  /** What of it runs on the host or in CI. */
  readonly runs: RunsView;
  /** What keeps the resolution's environment. */
  readonly trash: string | null;
  readonly memory: readonly {
    readonly id: string;
    readonly paths: readonly string[];
    readonly environment: string;
    readonly date: string;
  }[];
}

const nothing: Omit<Answer, 'action'> = {
  environment: null,
  resolution: null,
  with: null,
  commit: null,
  how: null,
  merged: null,
  resolved: [],
  runs: [],
  trash: null,
  memory: [],
};

interface Input {
  readonly into?: string | undefined;
  readonly with?: string | undefined;
  readonly message?: string | undefined;
  readonly merge: boolean;
  readonly noVerify: boolean;
  readonly allowMarkers: boolean;
  readonly wait: number;
  readonly force: boolean;
  readonly refuseRuns: boolean;
}

async function begin(context: Context, environment: Environment, input: Input): Promise<Answer> {
  const workplace = await context.workplace();
  if (isResolution(environment)) {
    const { environment: now } = await reconcile(workplace, environment);
    return standing(workplace, isResolution(now) ? now : environment, 'existing');
  }
  const other = await otherOf(workplace, environment, input);
  const { report, signal } = context;
  const begun = await beginResolution(workplace, environment, { other, report, signal });
  const name = other.kind === 'branch' ? shortName(other.name) : other.name;
  if (begun.kind === 'no-conflict') {
    const { resolved } = begun;
    return { ...nothing, action: 'no-conflict', environment: environment.name, with: name, resolved };
  }
  if (begun.kind === 'existing') return standing(workplace, begun.resolution, 'existing');
  const { resolution, resolved, runs } = begun;
  tellRuns(context, resolution.name, runs, false);
  return { ...(await standing(workplace, resolution, 'begun')), resolved, runs: runsView(runs) };
}

async function standing(workplace: Workplace, resolution: Resolution, action: Action): Promise<Answer> {
  const view = await resolutionView(workplace, resolution);
  const { name, directories } = resolution;
  return {
    ...nothing,
    action,
    environment: view.environment,
    with: view.with,
    resolution: { name, worktree: directories.tree, ...view },
  };
}

async function otherOf(workplace: Workplace, environment: Environment, input: Input): Promise<Other> {
  if (input.with !== undefined) {
    const other = await findEnvironment(workplace, input.with);
    if (other.name === environment.name) throw clash([environment.name, `--with ${other.name}`]);
    const seen = await reconcileFully(workplace, other);
    if (seen.operation !== undefined) throw inProgress(seen.environment, seen.operation);
    return { kind: 'environment', name: other.name, commit: await workOf(workplace, seen.environment) };
  }
  const branch = input.into === undefined ? environment.target : parseBranch(input.into);
  if (branch === undefined) {
    throw new CoppiceError('usage', 'no-target', `${environment.name} has no target branch.`, {
      hint: 'Name a branch with --into, or an environment with --with.',
    });
  }
  const commit = await workplace.repository.readRef(branch);
  if (commit !== undefined) return { kind: 'branch', name: branch, commit };
  throw new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(branch)}.`, {
    hint: '`git branch` lists them.',
  });
}

async function finish(context: Context, resolution: Resolution, input: Input): Promise<Answer> {
  const { signal } = context;
  const workplace = await context.workplace();
  const { message, noVerify, allowMarkers, wait, force } = input;
  const request = { message, noVerify, allowMarkers, wait, force, signal };
  const done = await finishResolution(workplace, resolution, request);
  if (done.kind === 'conflicts-again') return standing(workplace, done.resolution, 'conflicts-again');
  const { conflict } = resolution.record;
  const into = conflict.with.kind === 'branch' ? parseRefName(conflict.with.name) : done.environment.target;
  const runs: RunsElsewhere[] = [];
  const merged =
    input.merge && into !== undefined
      ? await andMerge(workplace, done.environment, {
          into,
          strategy: 'merge',
          message: undefined,
          allowMarkers,
          allowSecrets: false,
          noVerify,
          onRuns(found) {
            runs.push(...found);
            tellRuns(context, done.environment.name, found, input.refuseRuns);
          },
        })
      : undefined;
  return {
    ...nothing,
    action: 'resolved',
    environment: conflict.environment,
    with: into === undefined ? null : shortName(into),
    commit: done.commit,
    how: done.how,
    merged: merged === undefined ? null : { into: shortName(merged.into), after: merged.after },
    runs: runsView(runs),
    trash: done.trash,
  };
}

/** What stands against the merge takes nothing back: the environment has the resolution by then. */
async function andMerge(workplace: Workplace, environment: Environment, request: MergeRequest): Promise<Merged> {
  try {
    return await mergeInto(workplace, environment, request);
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.kind === 'bug') throw error;
    const { name } = environment;
    const hint = `${name} has the resolution; \`coppice merge ${name}\` is what is left. ${error.hint ?? ''}`.trim();
    throw new CoppiceError(error.kind, error.code, error.message, { hint, data: error.data, cause: error });
  }
}

async function abort(workplace: Workplace, resolution: Resolution, force: boolean): Promise<Answer> {
  const { trash } = await abortResolution(workplace, resolution, force);
  return { ...nothing, action: 'aborted', environment: resolution.record.conflict.environment, trash };
}

function render(answer: Answer, style: Style): string {
  const { action, environment, resolution } = answer;
  if (resolution !== null) return renderStanding(answer, resolution, style);
  switch (action) {
    case 'no-conflict':
      return [
        ...answer.resolved.map((each) => sayResolved(each, style)),
        `${environment} and ${answer.with} do not conflict: \`coppice merge ${environment}\``,
      ].join('\n');
    case 'aborted':
      return `given up; ${environment} is as it was${answer.trash === null ? '' : style.dim(`\nwhat was resolved so far is in ${answer.trash}`)}`;
    case 'resolved':
      return renderResolved(answer, style);
    case 'forgotten':
      return answer.memory.map(({ paths, id }) => `forgot ${safe(paths.join(', '))}  ${style.dim(id)}`).join('\n');
    default:
      return renderMemory(answer, style);
  }
}

function renderStanding({ action, resolved }: Answer, it: NonNullable<Answer['resolution']>, style: Style): string {
  const heads: Partial<Record<Action, string>> = {
    existing: `${style.bold(it.name)} is there for this already`,
    'conflicts-again': `${style.red(`${it.environment} has moved on and conflicts again`)}: it goes on in ${style.bold(it.name)}`,
  };
  return [
    heads[action] ?? style.bold(it.name),
    renderResolution(it, style),
    ...resolved.map((each) => `  ${sayResolved(each, style)}`),
    `  worktree  ${it.worktree}`,
    `resolve it there, or inside: \`coppice shell ${it.name}\`; then \`coppice resolve ${it.environment} --continue\` (--abort gives up)`,
  ].join('\n');
}

function renderResolved({ environment, commit, how, merged, trash }: Answer, style: Style): string {
  const ways: Readonly<Record<string, string>> = {
    'fast-forward': '',
    merge: ', merged with what it did meanwhile',
    'there-already': ', which had it already',
  };
  const head = `${style.green('resolved')}: ${style.yellow(short(commit ?? ''))} is in ${environment}${ways[how ?? ''] ?? ''}`;
  const next =
    merged !== null
      ? `merged into ${merged.into}: ${style.yellow(short(merged.after))}`
      : `next: \`coppice merge ${environment}\``;
  return [head, next, trash === null ? '' : style.dim(`its environment is in ${trash}`)].filter(Boolean).join('\n');
}

function renderMemory({ memory }: Answer, style: Style): string {
  if (memory.length === 0) return style.dim('No resolution is remembered yet.');
  return memory
    .map(({ id, paths, environment, date }) =>
      [
        style.yellow(short(id)),
        safe(paths.join(', ')),
        style.dim(`from ${safe(environment)}, ${date.slice(0, 10)}`),
      ].join('  '),
    )
    .join('\n');
}

function clash(options: readonly string[]): CoppiceError {
  return new CoppiceError('usage', 'options-clash', `${options.join(' and ')} exclude each other.`, {
    hint: 'Give one of them.',
  });
}
