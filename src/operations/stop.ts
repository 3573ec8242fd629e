/** `stop`: ends what runs inside; the files and the branch stay. */
import * as z from 'zod/mini';
import { findContainer } from '../environment/container.ts';
import { findEnvironment } from '../environment/find.ts';
import { reconcile } from '../environment/reconcile.ts';
import { nameArgument, operation } from './operation.ts';
import { safe } from './views.ts';

export const stop = operation({
  name: 'stop',
  summary: 'Stop an environment; everything in it is checkpointed first and stays',
  effect: 'write',
  tool: {
    title: 'Stop an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({ name: nameArgument() }),
  async run(context, { name }) {
    const workplace = await context.workplace();
    const environment = await findEnvironment(workplace, name);
    const container = await findContainer(workplace, environment);
    if (container?.state !== 'running') return { name: environment.name as string, wasRunning: false, problem: null };
    // Commits that cannot be brought out stay in the agent's git directory; that is no reason to let processes run on.
    const before = await reconcile(workplace, environment, { rehash: true });
    const runtime = await workplace.runtime(environment.record.spec.runtime);
    await runtime.stop(container.id);
    // What its processes wrote in their last moments.
    await reconcile(workplace, before.environment, { cause: 'stop', rehash: true });
    await workplace.daemon.notice(workplace.repository, environment.name);
    const problem = before.notImported === undefined ? null : before.notImported.message;
    return { name: environment.name as string, wasRunning: true, problem };
  },
  render({ name, wasRunning, problem }, style) {
    const line = wasRunning ? `${name} is stopped` : `${name} was not running`;
    return problem === null
      ? line
      : `${line}\n${style.yellow(`commits inside are not brought out yet: ${safe(problem, 400)}`)}`;
  },
});
