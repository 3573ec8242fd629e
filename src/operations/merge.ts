/** `merge`: an environment's work into a branch. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { parseBranch, shortName } from '../domain/ref-name.ts';
import type { RunsElsewhere } from '../domain/runs-elsewhere.ts';
import { visible } from '../domain/terminal-text.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment } from '../environment/find.ts';
import { mergeInto } from '../environment/merge/deliver.ts';
import type { Selection } from '../environment/merge/part.ts';
import type { Strategy } from '../environment/merge/request.ts';
import { removeEnvironment } from '../environment/remove.ts';
import { type Context, flag, nameArgument, operation } from './operation.ts';
import { refuseRunsFlag, tellRuns } from './tell-runs.ts';
import { reasons, runsAsk } from './tool.ts';
import { heldView, renderHeld, runsView, sayResolved, short } from './views.ts';

export const merge = operation({
  name: 'merge',
  summary: 'Merge an environment into its target branch, or another',
  details:
    'Computed with git merge-tree before anything is touched: on a conflict the exit status is 4, the files are listed, and nothing has changed. Uncommitted checkpoints become one commit first. A checkout that has the branch is brought along, if the paths concerned are clean there. With --paths, --commits, --hunks or --patch a part is merged; the rest stays on the environment and merges cleanly later. The repository’s merge and message hooks run inside the container; with commit.gpgSign the merge is signed with the user’s key.',
  effect: 'write',
  tool: {
    title: 'Merge an environment',
    idempotent: true,
    openWorld: false,
    bindable: false,
    without: {
      hunks: 'it reads a file of this machine, or stdin, which the protocol has',
      patch: reasons.terminal,
    },
    defaults: { refuseRuns: true },
    asks: {
      refuseRuns: runsAsk,
      noVerify: reasons.noVerify,
      allowSecrets: reasons.allowSecrets,
    },
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    into: flag(z.optional(z.string()), { help: 'The branch to merge into. Default: the target.', value: 'BRANCH' }),
    message: flag(z.optional(z.string()), {
      help: 'Message of the merge commit. Default: composed from title and commits.',
      short: '-m',
      value: 'MSG',
    }),
    squash: flag(z._default(z.boolean(), false), { help: 'One plain commit instead of a merge commit.' }),
    rebase: flag(z._default(z.boolean(), false), {
      help: 'The environment’s commits, made anew on the branch; their authors stay.',
    }),
    ffOnly: flag(z._default(z.boolean(), false), { help: 'Only if the branch has not moved on.' }),
    paths: flag(list(), {
      help: 'Only the changes of this file or directory, from the top of the tree; repeatable.',
      value: 'PATH',
    }),
    commits: flag(list(), { help: 'Only this commit, or range A..B; repeatable.', value: 'REV' }),
    hunks: flag(z.optional(z.string()), {
      help: 'Only the hunks in this patch: what `coppice diff` prints, with hunks taken out. - is stdin.',
      value: 'FILE',
    }),
    patch: flag(z._default(z.boolean(), false), { help: 'Choose the hunks at the terminal.', short: '-p' }),
    noVerify: flag(z._default(z.boolean(), false), { help: 'Skip the repository’s hooks.' }),
    allowMarkers: flag(z._default(z.boolean(), false), { help: 'Even with conflict markers in changed files.' }),
    allowSecrets: flag(z._default(z.boolean(), false), {
      help: 'Even with what looks like a secret in a commit made inside.',
    }),
    useResolutions: flag(z._default(z.boolean(), false), {
      help: 'Resolve conflicts as they were resolved before (coppice resolve --remembered). Not with --rebase.',
    }),
    refuseRuns: refuseRunsFlag(),
    remove: flag(z._default(z.boolean(), false), { help: 'Remove the environment afterwards.' }),
  }),
  async run(context, input) {
    refuseClashes(input);
    const workplace = await context.workplace();
    const environment = await findEnvironment(workplace, input.name);
    const selection = await selectionOf(context, input);
    const runs: RunsElsewhere[] = [];
    const done = await mergeInto(workplace, environment, {
      into: branchFor(environment, input.into),
      strategy: strategyOf(input),
      message: input.message,
      allowMarkers: input.allowMarkers,
      allowSecrets: input.allowSecrets,
      noVerify: input.noVerify,
      useResolutions: input.useResolutions,
      onRuns(found) {
        runs.push(...found);
        tellRuns(context, environment.name, found, input.refuseRuns);
      },
      ...(selection === undefined ? {} : { selection }),
    });
    const removed = input.remove ? await removeEnvironment(workplace, done.environment, { force: false }) : undefined;
    return {
      name: environment.name as string,
      into: shortName(done.into),
      kind: done.kind as string,
      part: selection !== undefined,
      before: done.before as string | null,
      after: done.after as string,
      worktree: done.worktree,
      hooks: done.hooks.ran as string,
      hookOutput: done.hooks.output,
      resolved: done.resolved,
      runs: runsView(runs),
      held: heldView(done.held),
      removed: removed === undefined ? null : removed.trash,
    };
  },
  render({ name, into, kind, part, after, worktree, hookOutput, resolved, held, removed }, style) {
    const whole = part ? `part of ${name}` : name;
    const what =
      kind === 'nothing-to-do'
        ? `${into} has all of ${part ? 'that' : name} already`
        : `${style.green('merged')} ${whole} into ${into}: ${style.yellow(short(after))}${kind === 'merge' ? '' : ` (${kind})`}`;
    const where = worktree === null ? '' : style.dim(`\nchecked out in ${worktree}`);
    const gone = removed === null ? '' : `\nremoved; \`coppice restore ${name}\` brings it back`;
    const left = held.length === 0 ? '' : `\n${renderHeld(held, style)}`;
    const said = hookOutput === '' ? '' : `${style.dim(visible(hookOutput))}\n`;
    const alone = resolved.map((each) => `\n${sayResolved(each, style)}`);
    return said + what + alone.join('') + where + left + gone;
  },
});

interface Input {
  readonly squash: boolean;
  readonly rebase: boolean;
  readonly ffOnly: boolean;
  readonly paths: readonly string[];
  readonly commits: readonly string[];
  readonly hunks?: string | undefined;
  readonly patch: boolean;
  readonly message?: string | undefined;
  readonly remove: boolean;
}

function list() {
  return z._default(z.array(z.string().check(z.minLength(1))), []);
}

function strategyOf({ squash, rebase, ffOnly }: Input): Strategy {
  if (squash) return 'squash';
  if (rebase) return 'rebase';
  return ffOnly ? 'ff-only' : 'merge';
}

/** What cannot go together is refused before anything is looked at. */
function refuseClashes(input: Input): void {
  const { squash, rebase, ffOnly, paths, commits, hunks, patch, message, remove } = input;
  const how = chosen({ '--squash': squash, '--rebase': rebase, '--ff-only': ffOnly });
  const part = chosen({
    '--paths': paths.length > 0,
    '--commits': commits.length > 0,
    '--hunks': hunks !== undefined,
    '--patch': patch,
  });
  const first = part[0] ?? '';
  if (how.length > 1) throw clash(how);
  if (part.length > 1) throw clash(part);
  if (part.length > 0 && ffOnly) throw clash([first, '--ff-only']);
  if (part.length > 0 && remove) throw clash([first, '--remove'], 'The rest would be lost from sight: merge it first.');
  if (part.length > 0 && rebase && commits.length === 0)
    throw clash([first, '--rebase'], 'Use --squash: they make one commit.');
  if (rebase && message !== undefined) throw clash(['--rebase', '--message'], 'Rebased commits keep their messages.');
}

function chosen(given: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.keys(given).filter((option) => given[option]);
}

function clash(options: readonly string[], hint = 'Give one of them.'): CoppiceError {
  return new CoppiceError('usage', 'options-clash', `${options.join(' and ')} exclude each other.`, { hint });
}

async function selectionOf(context: Context, input: Input): Promise<Selection | undefined> {
  if (input.paths.length > 0) return { kind: 'paths', paths: input.paths };
  if (input.commits.length > 0) return { kind: 'commits', revisions: input.commits };
  // Only here: what compares lines is not loaded for a whole merge.
  if (input.hunks === undefined && !input.patch) return undefined;
  const { choiceAtTerminal, choiceFromFile } = await import('./choose-hunks.ts');
  return {
    kind: 'hunks',
    choose: input.hunks === undefined ? choiceAtTerminal(context) : await choiceFromFile(context, input.hunks),
  };
}

function branchFor(environment: Environment, into: string | undefined) {
  if (into !== undefined) return parseBranch(into);
  if (environment.target !== undefined) return environment.target;
  throw new CoppiceError(
    'usage',
    'no-target',
    `${environment.name} has no target branch: HEAD was detached when it was created.`,
    {
      hint: 'Name a branch with --into.',
    },
  );
}
