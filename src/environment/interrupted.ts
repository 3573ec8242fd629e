/** Creations whose process died: found by any later command and rolled back, since nobody has worked in them yet. */
import { isAlive } from '../platform/liveness.ts';
import { rollBack } from './create.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

export function wasInterrupted(workplace: Workplace, { record }: Environment): boolean {
  return (
    record.stage === 'creating' && record.creator.host === workplace.surroundings.hostname && !isAlive(record.creator)
  );
}

/** The environments that are real; the rest is undone. */
export async function sweepInterrupted(
  workplace: Workplace,
  environments: readonly Environment[],
): Promise<readonly Environment[]> {
  const kept: Environment[] = [];
  for (const environment of environments) {
    if (wasInterrupted(workplace, environment)) await rollBack(workplace, environment);
    else kept.push(environment);
  }
  return kept;
}
