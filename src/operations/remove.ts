/** `remove`: puts an environment away; everything of it can be brought back. */
import * as z from 'zod/mini';
import { findEnvironment } from '../environment/find.ts';
import { type Removed, removeEnvironment } from '../environment/remove.ts';
import { flag, nameArgument, operation, type Style } from './operation.ts';
import { eachOf, moreNames, namesOf, oneCallEach, renderEach, statusOfEach } from './several.ts';

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
    without: { more: oneCallEach },
    asks: {
      force: 'its work is in no branch yet',
    },
  },
  version: 2,
  input: z.strictObject({
    name: nameArgument(),
    more: moreNames('Others to remove as well.'),
    force: flag(z._default(z.boolean(), false), { help: 'Even with unmerged work or something running.', short: '-f' }),
  }),
  async run(context, { name, more, force }) {
    const workplace = await context.workplace();
    const environments = await eachOf(namesOf(name, more), async (each) => {
      const environment = await findEnvironment(workplace, each);
      return { name: environment.name as string, ...(await removeEnvironment(workplace, environment, { force })) };
    });
    return { environments };
  },
  render: ({ environments }, style) => renderEach(environments, (each) => removedText(each, style), 'removed', style),
  exitStatus: ({ environments }) => statusOfEach(environments),
});

function removedText({ name, left, containerLeft }: Removed & { readonly name: string }, style: Style): string {
  return [
    `removed ${name}`,
    ...(left === null
      ? []
      : [style.yellow(`commits inside could not be brought out; their git directory is kept at ${left}`)]),
    ...(containerLeft
      ? [style.yellow('the engine did not answer: its container may be left there; `coppice doctor --fix` removes it')]
      : []),
    style.dim(`bring it back with: coppice restore ${name}`),
  ].join('\n');
}
