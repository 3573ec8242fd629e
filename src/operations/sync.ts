/** `sync`: brings the target's new commits into environments. */
import * as z from 'zod/mini';
import { CoppiceError, type ErrorKind, exitStatusOf } from '../domain/error.ts';
import { parseBranch, type RefName, shortName } from '../domain/ref-name.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment, listEnvironments } from '../environment/find.ts';
import { pointersLeft } from '../environment/left-out.ts';
import { isResolution } from '../environment/resolution/find.ts';
import { abortSync, continueSync, type Ended, type Synced, syncConflict, syncFrom } from '../environment/sync.ts';
import type { Workplace } from '../environment/workplace.ts';
import { type Context, flag, namesArgument, operation, type Style } from './operation.ts';
import { heldView, renderHeld, safe, short } from './views.ts';

export const sync = operation({
  name: 'sync',
  summary: 'Merge the target branch into environments; a conflict waits inside, for plain git',
  details:
    'git inside makes the merge, at a moment when nobody writes, and never under a merge or rebase that is under way there. On a conflict the exit status is 4: the files have zdiff3 markers, the index has stages. What is uncommitted stays as it is; where the merge would touch the same files nothing is begun. Conflicts that were resolved before are resolved so again, and wait to be looked at.',
  effect: 'write',
  tool: {
    title: 'Bring the target into an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
    others: ['all'],
  },
  version: 2,
  input: z.strictObject({
    names: namesArgument('The environments. May be left out where there is only one, or inside its worktree.'),
    all: flag(z._default(z.boolean(), false), { help: 'All that are there.' }),
    from: flag(z.optional(z.string()), { help: 'The branch. Default: the target.', value: 'BRANCH' }),
    message: flag(z.optional(z.string()), {
      help: 'Commit what is uncommitted first, with this message; with --continue: the message of the merge commit.',
      short: '-m',
      value: 'MSG',
    }),
    continue: flag(z._default(z.boolean(), false), {
      help: 'Commit the merge that waits inside, once it is resolved.',
    }),
    abort: flag(z._default(z.boolean(), false), {
      help: 'Give up the merge that waits inside; what was resolved so far stays a checkpoint.',
    }),
    wait: flag(z._default(z.coerce.number().check(z.minimum(0)), 10), {
      help: 'Seconds to wait while a command goes on writing there. Default: 10.',
      value: 'S',
    }),
    force: flag(z._default(z.boolean(), false), { help: 'Even while a command goes on writing.', short: '-f' }),
    noVerify: flag(z._default(z.boolean(), false), {
      help: 'With --continue: skip the hooks; the commit says so in a trailer.',
    }),
    allowMarkers: flag(z._default(z.boolean(), false), {
      help: 'With --continue: even with conflict markers in changed files.',
    }),
  }),
  async run(context, input) {
    if (input.continue && input.abort) {
      throw new CoppiceError('usage', 'options-clash', '--continue and --abort exclude each other.', {
        hint: 'Give one of them.',
      });
    }
    const workplace = await context.workplace();
    const chosen = await choose(workplace, input);
    const [only] = chosen;
    if (only !== undefined && chosen.length === 1) return { environments: [await one(context, only, input)] };
    const results: SyncView[] = [];
    // A few at a time: each merges by itself, and git inside does most of the work.
    for (let start = 0; start < chosen.length; start += atOnce) {
      const part = chosen.slice(start, start + atOnce);
      results.push(...(await Promise.all(part.map((environment) => oneOfMany(context, environment, input)))));
    }
    return { environments: results };
  },
  render: ({ environments }, style) => environments.map((each) => line(each, style)).join('\n'),
  exitStatus: ({ environments }) => {
    const status = (kind: ErrorKind) =>
      environments.some((each) => each.error?.kind === kind) ? exitStatusOf[kind] : 0;
    return status('conflict') || status('refused') || status('unavailable') || status('failed') || status('not-found');
  },
});

const atOnce = 4;

interface Input {
  readonly names?: readonly string[] | undefined;
  readonly all: boolean;
  readonly from?: string | undefined;
  readonly message?: string | undefined;
  readonly continue: boolean;
  readonly abort: boolean;
  readonly wait: number;
  readonly force: boolean;
  readonly noVerify: boolean;
  readonly allowMarkers: boolean;
}

async function choose(workplace: Workplace, { names = [], all }: Input): Promise<readonly Environment[]> {
  if (all) {
    const found = (await listEnvironments(workplace)).filter((each) => !isResolution(each));
    if (found.length > 0) return found;
    throw new CoppiceError('not-found', 'no-environment', 'This repository has no environments.', {
      hint: '`coppice create` makes one.',
    });
  }
  if (names.length === 0) return [await findEnvironment(workplace, undefined)];
  const chosen: Environment[] = [];
  for (const name of new Set(names)) chosen.push(await findEnvironment(workplace, name));
  return chosen;
}

async function one({ workplace: open, signal }: Context, environment: Environment, input: Input): Promise<SyncView> {
  const workplace = await open();
  if (input.continue) return endedView('continued', await continueSync(workplace, environment, endRequest(input)));
  if (input.abort) return endedView('aborted', await abortSync(workplace, environment, input.force));
  const { message, wait, force } = input;
  const done = await syncFrom(workplace, environment, {
    from: branchFor(environment, input),
    message,
    wait,
    force,
    signal,
  });
  if (done.kind === 'conflict') throw syncConflict(done);
  return { ...nothing, ...syncedView(done) };
}

function endRequest({ message, noVerify, allowMarkers, force }: Input) {
  return { message, noVerify, allowMarkers, force };
}

/** Of several each has its own answer: what goes wrong in one is no reason not to go on with the others. */
async function oneOfMany(context: Context, environment: Environment, input: Input): Promise<SyncView> {
  try {
    return await one(context, environment, input);
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.kind === 'bug' || error.kind === 'interrupted') throw error;
    const { code, kind, message, hint, data } = error;
    const { files = [], remembered = [] } = data as Partial<Pick<SyncView, 'files' | 'remembered'>>;
    const failed = { code, kind, message, hint: hint ?? null };
    const conflict = code === 'sync-conflict';
    return {
      ...nothing,
      name: environment.name,
      kind: conflict ? 'conflict' : 'failed',
      ...(conflict ? { files, remembered } : {}),
      error: failed,
    };
  }
}

export interface SyncView {
  readonly name: string;
  readonly kind: Synced['kind'] | 'continued' | 'aborted' | 'failed';
  readonly from: string | null;
  readonly commit: string | null;
  /** With `aborted`: the checkpoint that has what was resolved so far. */
  readonly before: string | null;
  readonly files: readonly { readonly path: string; readonly kind: string }[];
  readonly remembered: readonly string[];
  readonly held: ReturnType<typeof heldView>;
  /** Files of Git LFS that came as pointers, because their content is not in this repository. */
  readonly pointers: number;
  readonly error: {
    readonly code: string;
    readonly kind: ErrorKind;
    readonly message: string;
    readonly hint: string | null;
  } | null;
}

const nothing = {
  from: null,
  commit: null,
  before: null,
  files: [],
  remembered: [],
  held: [],
  pointers: 0,
  error: null,
};

function syncedView({ environment, from, commit, kind, held, pointers }: Synced) {
  return { name: environment.name as string, kind, from: shortName(from), commit, held: heldView(held), pointers };
}

function endedView(kind: 'continued' | 'aborted', { environment, from, commit, before, held }: Ended): SyncView {
  const common = { name: environment.name, from: shortName(from), held: heldView(held) };
  if (kind === 'aborted') return { ...nothing, ...common, kind, commit, before };
  return { ...nothing, ...common, kind, commit: environment.at.head };
}

function branchFor(environment: Environment, { from }: Input): RefName {
  const branch = from === undefined ? environment.target : parseBranch(from);
  if (branch !== undefined) return branch;
  throw new CoppiceError('usage', 'no-target', `${environment.name} has no target branch.`, {
    hint: 'Name one with --from.',
  });
}

function line(each: SyncView, style: Style): string {
  const pointers = each.pointers === 0 ? '' : style.yellow(`  ${pointersLeft(each.pointers)}`);
  return [headline(each, style), pointers, renderHeld(each.held, style)].filter((part) => part !== '').join('\n');
}

function headline({ name, kind, from, commit, before, error, files }: SyncView, style: Style): string {
  const at = commit === null ? '' : style.yellow(short(commit));
  switch (kind) {
    case 'merged':
      return `${from} (${at}) merged into ${name}`;
    case 'nothing-to-do':
      return `${name} has all of ${from} already`;
    case 'continued':
      return `${from} merged into ${name}: ${at}`;
    case 'aborted':
      return `the merge of ${from} in ${name} is given up; \`coppice rewind ${name} ${short(before ?? '')}\` has the files as they were`;
    default: {
      const shown = files.map((file) => `\n  ${safe(file.path)}  ${style.dim(file.kind)}`).join('');
      const hint = error?.hint == null ? '' : `\n  ${style.dim('hint:')} ${error.hint}`;
      return `${style.bold(name)}: ${style.red(error?.message ?? '')}${shown}${hint}`;
    }
  }
}
