/** `stop`: ends what runs inside; the files and the branch stay. */
import * as z from 'zod/mini';
import { findContainer } from '../environment/container.ts';
import { findEnvironment } from '../environment/find.ts';
import { reconcile } from '../environment/reconcile.ts';
import type { Workplace } from '../environment/workplace.ts';
import { nameArgument, operation, type Style } from './operation.ts';
import { eachOf, moreNames, namesOf, oneCallEach, renderEach, statusOfEach } from './several.ts';
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
    without: { more: oneCallEach },
  },
  version: 2,
  input: z.strictObject({ name: nameArgument(), more: moreNames('Others to stop as well.') }),
  async run(context, { name, more }) {
    const workplace = await context.workplace();
    return { environments: await eachOf(namesOf(name, more), (each) => stopOne(workplace, each)) };
  },
  render: ({ environments }, style) => renderEach(environments, (each) => stoppedText(each, style), 'stopped', style),
  exitStatus: ({ environments }) => statusOfEach(environments),
});

async function stopOne(workplace: Workplace, name: string | undefined) {
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
}

function stoppedText({ name, wasRunning, problem }: Awaited<ReturnType<typeof stopOne>>, style: Style): string {
  const line = wasRunning ? `${name} is stopped` : `${name} was not running`;
  return problem === null
    ? line
    : `${line}\n${style.yellow(`commits inside are not brought out yet: ${safe(problem, 400)}`)}`;
}
