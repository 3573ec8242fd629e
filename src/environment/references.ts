/** All references of one environment, taken together. */
import type { Ref } from '../git/repository.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

export async function allReferences(
  workplace: Workplace,
  environment: Pick<Environment, 'refs'>,
): Promise<readonly Ref[]> {
  return workplace.repository.listRefs(environment.refs.prefix, environment.refs.branch);
}

export async function deleteReferences(workplace: Workplace, environment: Environment, reason: string): Promise<void> {
  const refs = await allReferences(workplace, environment);
  if (refs.length === 0) return;
  await workplace.repository.updateRefs(
    refs.map(({ name, oid }) => ({ name, before: oid, after: null })),
    reason,
  );
}
