/** Runs the spec's setup command once, inside, before anybody else gets in. */
import { requireApprovedEnvironment } from './access/approval.ts';
import { denialsOf } from './access/network.ts';
import { deliverSecrets } from './access/secrets.ts';
import { runInside, runningContainer } from './container.ts';
import type { Environment } from './environment.ts';
import type { Report, Workplace } from './workplace.ts';

/** An hour: dependencies of large projects take long. */
const setupTimeoutSeconds = 3600;

/** A failing setup leaves the environment there, marked: whoever looks into it needs it. */
export async function runSetup(
  workplace: Workplace,
  environment: Environment,
  report: Report,
): Promise<'ready' | 'setup-failed'> {
  const { setup } = environment.record.spec;
  if (setup === null) return 'ready';
  report(`setup: ${setup}`);
  const { runtime, container } = await runningContainer(workplace, environment);
  const { secrets } = await requireApprovedEnvironment(workplace, environment);
  const delivery = await deliverSecrets(workplace, secrets, { runtime, containerId: container.id, root: false });
  const command = delivery.wrap(['sh', '-c', setup]);
  const done = await runInside(runtime, container.id, command, { timeoutSeconds: setupTimeoutSeconds });
  await delivery.clear();
  const { total } = await denialsOf(workplace, environment, runtime, container);
  if (total > 0) report(`The allowlist denied ${total} requests: \`coppice status ${environment.name}\` lists them.`);
  if (done.status === 0) return 'ready';
  const said = delivery.masking.text(`${done.stdout}${done.stderr}`).trim().split('\n').slice(-20).join('\n');
  report(`setup ended with status ${done.status}:\n${said}`);
  return 'setup-failed';
}
