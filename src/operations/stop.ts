/** `stop`: ends what runs inside; the files and the branch stay. */
import * as z from 'zod/mini';
import { findContainer } from '../environment/container.ts';
import { findEnvironment } from '../environment/find.ts';
import { reconcileFully } from '../environment/reconcile.ts';
import { nameArgument, operation } from './operation.ts';

export const stop = operation({
  name: 'stop',
  summary: 'Stop an environment; everything in it is checkpointed first and stays',
  effect: 'write',
  version: 1,
  input: z.strictObject({ name: nameArgument() }),
  async run(context, { name }) {
    const workplace = await context.workplace();
    const environment = await findEnvironment(workplace, name);
    const container = await findContainer(workplace, environment);
    if (container?.state !== 'running') return { name: environment.name as string, wasRunning: false };
    const before = await reconcileFully(workplace, environment);
    const runtime = await workplace.runtime(environment.record.spec.runtime);
    await runtime.stop(container.id);
    // What its processes wrote in their last moments.
    await reconcileFully(workplace, before.environment, { cause: 'stop' });
    await workplace.daemon.notice(workplace.repository, environment.name);
    return { name: environment.name as string, wasRunning: true };
  },
  render: ({ name, wasRunning }) => (wasRunning ? `${name} is stopped` : `${name} was not running`),
});
