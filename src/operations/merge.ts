/** `merge`: an environment's work into a branch. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { parseBranch, shortName } from '../domain/ref-name.ts';
import { mergeInto, type Strategy } from '../environment/deliver.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment } from '../environment/find.ts';
import { removeEnvironment } from '../environment/remove.ts';
import { flag, nameArgument, operation } from './operation.ts';
import { heldView, renderHeld, short } from './views.ts';

export const merge = operation({
  name: 'merge',
  summary: 'Merge an environment into its target branch, or another',
  details:
    'Computed with git merge-tree before anything is touched: on a conflict the exit status is 4, the files are listed, and nothing has changed. Uncommitted checkpoints become one commit first. A checkout that has the branch is brought along, if the paths concerned are clean there.',
  effect: 'write',
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    into: flag(z.optional(z.string()), { help: 'The branch to merge into. Default: the target.', value: 'BRANCH' }),
    message: flag(z.optional(z.string()), { help: 'Message of the merge commit.', short: '-m', value: 'MSG' }),
    squash: flag(z._default(z.boolean(), false), { help: 'One plain commit instead of a merge commit.' }),
    ffOnly: flag(z._default(z.boolean(), false), { help: 'Only if the branch has not moved on.' }),
    allowMarkers: flag(z._default(z.boolean(), false), { help: 'Even with conflict markers in changed files.' }),
    allowSecrets: flag(z._default(z.boolean(), false), {
      help: 'Even with what looks like a secret in a commit made inside.',
    }),
    remove: flag(z._default(z.boolean(), false), { help: 'Remove the environment afterwards.' }),
  }),
  async run(context, input) {
    if (input.squash && input.ffOnly) {
      throw new CoppiceError('usage', 'options-clash', '--squash and --ff-only exclude each other.', {
        hint: 'Give one of them.',
      });
    }
    const workplace = await context.workplace();
    const environment = await findEnvironment(workplace, input.name);
    const strategy: Strategy = input.squash ? 'squash' : input.ffOnly ? 'ff-only' : 'merge';
    const done = await mergeInto(workplace, environment, {
      into: branchFor(environment, input.into),
      strategy,
      message: input.message,
      allowMarkers: input.allowMarkers,
      allowSecrets: input.allowSecrets,
    });
    const removed = input.remove ? await removeEnvironment(workplace, done.environment, { force: false }) : undefined;
    return {
      name: environment.name as string,
      into: shortName(done.into),
      kind: done.kind as string,
      before: done.before as string | null,
      after: done.after as string,
      worktree: done.worktree,
      held: heldView(done.held),
      removed: removed === undefined ? null : removed.trash,
    };
  },
  render({ name, into, kind, after, worktree, held, removed }, style) {
    const what =
      kind === 'nothing-to-do'
        ? `${into} has all of ${name} already`
        : `${style.green('merged')} ${name} into ${into}: ${style.yellow(short(after))}${kind === 'merge' ? '' : ` (${kind})`}`;
    const where = worktree === null ? '' : style.dim(`\nchecked out in ${worktree}`);
    const gone = removed === null ? '' : `\nremoved; \`coppice restore ${name}\` brings it back`;
    const left = held.length === 0 ? '' : `\n${renderHeld(held, style)}`;
    return what + where + left + gone;
  },
});

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
