/** `sync`: brings the target's new commits into an environment. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { parseBranch, shortName } from '../domain/ref-name.ts';
import { findEnvironment } from '../environment/find.ts';
import { syncFrom } from '../environment/sync.ts';
import { flag, nameArgument, operation } from './operation.ts';
import { short } from './views.ts';

export const sync = operation({
  name: 'sync',
  summary: 'Merge the target branch into an environment; a conflict waits inside, for plain git',
  effect: 'write',
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    from: flag(z.optional(z.string()), { help: 'The branch. Default: the target.', value: 'BRANCH' }),
  }),
  async run(context, { name, from }) {
    const workplace = await context.workplace();
    const environment = await findEnvironment(workplace, name);
    const branch = from === undefined ? environment.target : parseBranch(from);
    if (branch === undefined) {
      throw new CoppiceError('usage', 'no-target', `${environment.name} has no target branch.`, {
        hint: 'Name one with --from.',
      });
    }
    const done = await syncFrom(workplace, environment, branch);
    return {
      name: environment.name as string,
      from: shortName(branch),
      commit: done.commit as string,
      kind: done.kind as string,
    };
  },
  render: ({ name, from, kind, commit }) =>
    kind === 'merged' ? `${from} (${short(commit)}) merged into ${name}` : `${name} has all of ${from} already`,
});
