/** `commit`: a deliberate commit of everything in the environment; folds the tail. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { visible } from '../domain/terminal-text.ts';
import { commitTail } from '../environment/commit.ts';
import { findEnvironment } from '../environment/find.ts';
import { findLeaks } from '../environment/leaks.ts';
import { leakView, renderLeaks } from './leak-view.ts';
import { flag, nameArgument, operation } from './operation.ts';
import { heldView, renderHeld, safe, short } from './views.ts';

export const commit = operation({
  name: 'commit',
  summary: 'Commit everything in the environment; its checkpoints fold into the commit',
  details:
    'The repository’s hooks run inside the container and can refuse. Folded checkpoints stay reachable under refs/coppice/NAME/tails/.',
  effect: 'write',
  tool: {
    title: 'Commit an environment’s work',
    idempotent: false,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    message: flag(z.optional(z.string()), {
      help: 'The commit message. Default: what changed, and the commands that caused it.',
      short: '-m',
      value: 'MSG',
    }),
    noVerify: flag(z._default(z.boolean(), false), { help: 'Skip the hooks; the commit says so in a trailer.' }),
    allowMarkers: flag(z._default(z.boolean(), false), { help: 'Even with conflict markers in changed files.' }),
  }),
  async run(context, { name, message, noVerify, allowMarkers }) {
    if (message?.trim() === '') {
      throw new CoppiceError('usage', 'empty-message', 'The commit message is empty.', {
        hint: 'Say what changed: -m "…"; without -m a message is composed.',
      });
    }
    const workplace = await context.workplace();
    const environment = await findEnvironment(workplace, name);
    const author = (await workplace.repository.identity()) ?? environment.record.author;
    const done = await commitTail(workplace, environment, {
      message,
      author,
      noVerify,
      ...(allowMarkers ? { markers: 'allow' as const } : {}),
    });
    return {
      name: environment.name as string,
      branch: environment.record.branch,
      commit: done.commit as string,
      made: done.made as string,
      subject: done.message.trim().split('\n')[0] ?? '',
      composed: message === undefined,
      hookOutput: done.output,
      held: heldView(done.held),
      leaks: leakView(await findLeaks(workplace, done.environment)),
    };
  },
  render: ({ commit: oid, subject, name, composed, hookOutput, held, leaks }, style) =>
    [
      hookOutput === '' ? '' : style.dim(visible(hookOutput)),
      `${style.yellow(short(oid))} ${safe(subject)}  ${style.dim(name)}`,
      composed ? style.dim(`  message composed of the checkpoints; \`coppice log ${name}\` shows it`) : '',
      renderHeld(held, style),
      renderLeaks(leaks, style),
    ]
      .filter((part) => part !== '')
      .join('\n'),
});
