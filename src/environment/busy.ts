/** Refuses what should not happen under a running command's feet. */
import { CoppiceError } from '../domain/error.ts';
import type { Environment } from './environment.ts';
import { describeCommand, runningExecs } from './running-execs.ts';
import type { Workplace } from './workplace.ts';

/** Throws `environment-busy`. `anyway`: what to do otherwise, as in “Wait for it, or …”. */
export async function refuseIfBusy(workplace: Workplace, { name }: Environment, anyway: string): Promise<void> {
  const [running] = await runningExecs(workplace.repository.commonDirectory, name);
  if (running === undefined) return;
  const command = describeCommand(running.command);
  throw new CoppiceError('refused', 'environment-busy', `${command} is running in ${name}.`, {
    hint: `Wait for it, or ${anyway}.`,
    data: { name, running: command },
  });
}
