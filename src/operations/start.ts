/** `start`: makes an environment run: its container, and on a machine that only fetched its references its files too. */
import { readdir } from 'node:fs/promises';
import * as z from 'zod/mini';
import { bringInOutside } from '../environment/commit.ts';
import { ensureRunning } from '../environment/container.ts';
import { findEnvironment } from '../environment/find.ts';
import { dismantle, isMaterialized, materialize } from '../environment/materialize.ts';
import { waitUntilReady } from '../environment/ready.ts';
import { setAside } from '../environment/remove.ts';
import { ifPresent } from '../platform/errno.ts';
import { nameArgument, operation } from './operation.ts';

export const start = operation({
  name: 'start',
  summary: 'Start an environment that is stopped, lost its container, or came with a fetch',
  effect: 'write',
  version: 1,
  input: z.strictObject({ name: nameArgument() }),
  async run(context, { name }) {
    const workplace = await context.workplace();
    const environment = await waitUntilReady(workplace, await findEnvironment(workplace, name), context.signal);
    const runtime = await workplace.runtime(environment.record.spec.runtime);
    const { image } = environment.record.spec;
    if (image !== null) await runtime.prepareImage(image, ({ message }) => context.report(message));
    const fresh = !isMaterialized(environment);
    if (fresh) {
      // Where its directory was deleted by hand, a container over what is gone and a registration are left. Files without
      // the mark of a whole environment are of a making that was cut short, most likely: kept all the same.
      if (await hasFiles(environment.directories.tree)) {
        const left = await setAside(workplace, environment, environment.directories.root);
        context.report(`An incomplete worktree was there; it is kept at ${left}.`);
      }
      await dismantle(workplace, environment);
      try {
        await materialize(workplace, environment, runtime);
      } catch (error) {
        await dismantle(workplace, environment);
        throw error;
      }
    } else await ensureRunning(workplace, environment);
    await bringInOutside(workplace, environment);
    await workplace.daemon.notice(workplace.repository, environment.name);
    return { name: environment.name as string, worktree: environment.directories.tree, fresh };
  },
  render: ({ name, worktree, fresh }) => `${name} is running${fresh ? `, checked out at ${worktree}` : ''}`,
});

async function hasFiles(directory: string): Promise<boolean> {
  return ((await ifPresent(readdir(directory))) ?? []).length > 0;
}
