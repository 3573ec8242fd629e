/** The environments as they are now: those that no daemon keeps checkpointed are looked at first. */
import { CoppiceError } from '../../domain/error.ts';
import type { Environment } from '../environment.ts';
import { listEnvironments } from '../find.ts';
import { isMaterialized } from '../materialize.ts';
import { reconcile } from '../reconcile.ts';
import type { Report, Workplace } from '../workplace.ts';

/** Scans at once: more gains nothing on few cores. */
const atOnce = 4;

export async function environmentsUpToDate(workplace: Workplace, report: Report): Promise<readonly Environment[]> {
  const [all, facts] = await Promise.all([readyEnvironments(workplace), workplace.daemon.facts()]);
  const watched = new Set(
    (facts?.environments ?? [])
      .filter((each) => each.repository === workplace.repository.id && each.lastError === null)
      .map(({ name }) => name),
  );
  const waiting = all.filter((each) => isMaterialized(each) && !watched.has(each.name));
  const looks = Array.from({ length: atOnce }, async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await look(workplace, next, report);
  });
  await Promise.all(looks);
  return watched.size === all.length ? all : readyEnvironments(workplace);
}

/** Without those that were made to resolve a conflict: there it is meant to be. */
export async function readyEnvironments(workplace: Workplace): Promise<readonly Environment[]> {
  const ready = ({ record }: Environment) => record.stage !== 'creating' && record.conflict === undefined;
  return (await listEnvironments(workplace)).filter(ready);
}

/** One that cannot be looked at is taken as it was last checkpointed. */
async function look(workplace: Workplace, environment: Environment, report: Report): Promise<void> {
  try {
    await reconcile(workplace, environment);
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    report(`${environment.name} is taken as it was checkpointed last: ${error.message}`);
  }
}
