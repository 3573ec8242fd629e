/** `remove`: puts an environment away; everything of it can be brought back. */
import * as z from 'zod/mini';
import { findEnvironment } from '../environment/find.ts';
import { removeEnvironment } from '../environment/remove.ts';
import { flag, nameArgument, operation } from './operation.ts';

export const remove = operation({
  name: 'remove',
  summary: 'Remove an environment; refuses while it has unmerged work, and can always be undone',
  details: 'Everything is saved under refs/coppice/trash/ first. Ignored files are not saved.',
  effect: 'destroy',
  tool: {
    title: 'Remove an environment',
    idempotent: true,
    openWorld: false,
    bindable: false,
    asks: {
      force: 'its work is in no branch yet',
    },
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    force: flag(z._default(z.boolean(), false), { help: 'Even with unmerged work or something running.', short: '-f' }),
  }),
  async run(context, { name, force }) {
    const workplace = await context.workplace();
    const environment = await findEnvironment(workplace, name);
    const removed = await removeEnvironment(workplace, environment, { force });
    return { name: environment.name as string, ...removed };
  },
  render: ({ name, left, containerLeft }, style) =>
    [
      `removed ${name}`,
      ...(left === null
        ? []
        : [style.yellow(`commits inside could not be brought out; their git directory is kept at ${left}`)]),
      ...(containerLeft
        ? [
            style.yellow(
              'the engine did not answer: its container may be left there; `coppice doctor --fix` removes it',
            ),
          ]
        : []),
      style.dim(`bring it back with: coppice restore ${name}`),
    ].join('\n'),
});
