/** Whose work must not get on a branch: conflict markers, secrets, what git cannot merge. All are looked at together first. */
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import { anyMarkers, refuseMarkers } from './conflict-markers.ts';
import type { Refused } from './land-candidates.ts';
import type { Link, Linked } from './land-chain.ts';
import { anyLeaks, refuseLeakyCommits } from './leaks.ts';
import { startOfWork } from './merged.ts';
import type { Workplace } from './workplace.ts';

export interface Allowed {
  readonly allowMarkers: boolean;
  readonly allowSecrets: boolean;
}

export async function refuseUnfit(
  workplace: Workplace,
  into: RefName,
  before: Oid,
  chain: Linked,
  { allowMarkers, allowSecrets }: Allowed,
): Promise<readonly Refused[]> {
  const refused: Refused[] = [...chain.impossible];
  const [first] = chain.links;
  if (first === undefined) return refused;
  const { candidate } = first;
  const [markers, secrets] = await Promise.all([
    !allowMarkers && anyMarkers(workplace.repository, before, chain.after),
    !allowSecrets && anyLeaks(workplace, candidate.environment, chain.after, before),
  ]);
  for (const link of chain.links) {
    const error = await whyUnfit(workplace, into, before, link, { markers, secrets });
    if (error !== undefined) refused.push({ name: link.name, error });
  }
  return refused;
}

async function whyUnfit(
  workplace: Workplace,
  into: RefName,
  before: Oid,
  { candidate: { environment } }: Link,
  { markers, secrets }: { readonly markers: boolean; readonly secrets: boolean },
): Promise<CoppiceError | undefined> {
  try {
    if (markers) await refuseMarkers(workplace, environment, await startOfWork(workplace, environment, into));
    if (secrets) await refuseLeakyCommits(workplace, environment, before);
    return undefined;
  } catch (error) {
    if (error instanceof CoppiceError) return error;
    throw error;
  }
}
