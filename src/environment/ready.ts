/** Nobody gets in before an environment is whole. */
import { CoppiceError } from '../domain/error.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './find.ts';
import { sweepInterrupted, wasInterrupted } from './interrupted.ts';
import type { Workplace } from './workplace.ts';

/** How often a creation under way is looked at, in milliseconds. */
const pollInterval = 100;

/** Waits for a creation under way elsewhere. One whose process died is rolled back and reported. */
export async function waitUntilReady(
  workplace: Workplace,
  start: Environment,
  signal: AbortSignal,
): Promise<Environment> {
  for (let environment = start; environment.record.stage === 'creating'; ) {
    if (wasInterrupted(workplace, environment)) {
      await sweepInterrupted(workplace, [environment]);
      throw gone(environment);
    }
    if (signal.aborted) throw new CoppiceError('interrupted', 'interrupted', 'Waiting was interrupted.');
    await new Promise((resolve) => setTimeout(resolve, pollInterval));
    const again = await readEnvironment(workplace, start.name);
    if (again === undefined) throw gone(environment);
    if (again.record.stage !== 'creating') return again;
    environment = again;
  }
  return start;
}

function gone({ name }: Environment): CoppiceError {
  return new CoppiceError(
    'not-found',
    'creation-interrupted',
    `The creation of ${name} did not finish and was rolled back.`,
    {
      hint: `\`coppice create ${name}\` starts over.`,
    },
  );
}
