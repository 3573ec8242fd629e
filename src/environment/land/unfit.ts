/**
 * Whose work must not get on a branch: conflict markers, secrets, what git cannot merge, and if wished what runs on the host
 * or in CI. All are looked at together first.
 */
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { RunsElsewhere } from '../../domain/runs-elsewhere.ts';
import { anyMarkers, refuseMarkers } from '../conflicts/markers.ts';
import { anyLeaks, refuseLeakyChanges, refuseLeakyCommits } from '../leaks.ts';
import { startOfWork } from '../merged/merged.ts';
import { findRuns, refuseRuns } from '../runs-elsewhere.ts';
import type { Workplace } from '../workplace.ts';
import type { Refused } from './candidates.ts';
import type { Line, Link, Linked } from './chain.ts';

export interface Allowed {
  readonly allowMarkers: boolean;
  readonly allowSecrets: boolean;
  /** Nothing may come in that runs on the host or in CI. */
  readonly refuseRuns: boolean;
}

export interface Looked {
  readonly refused: readonly Refused[];
  /** Of those looked at, what runs on the host or in CI once it is there. */
  readonly runs: ReadonlyMap<EnvironmentName, readonly RunsElsewhere[]>;
}

/** To be asked of every chain anew: what one brings may have been hidden by what another took away. */
export async function lookForUnfit(
  workplace: Workplace,
  line: Line,
  { links, after }: Linked,
  allowed: Allowed,
): Promise<Looked> {
  const refused: Refused[] = [];
  const runs = new Map<EnvironmentName, readonly RunsElsewhere[]>();
  const [first] = links;
  if (first === undefined) return { refused, runs };
  const { before } = line;
  const { environment } = first.candidate;
  const [markers, secrets, elsewhere] = await Promise.all([
    !allowed.allowMarkers && anyMarkers(workplace.repository, before, after),
    !allowed.allowSecrets && anyLeaks(workplace, environment, after, before),
    anyRuns(workplace, before, after),
  ]);
  for (const link of links) {
    const found = elsewhere ? await findRuns(workplace, link.before, link.commit) : [];
    if (found.length > 0) runs.set(link.name, found);
    const error = await whyUnfit(async () => {
      const { environment: each } = link.candidate;
      if (markers) await refuseMarkers(workplace, each, await startOfWork(workplace, each, line.into));
      if (secrets) await refuseLeaks(workplace, line, link);
      if (allowed.refuseRuns) refuseRuns(link.name, found);
    });
    if (error !== undefined) refused.push({ name: link.name, error });
  }
  return { refused, runs };
}

async function anyRuns(workplace: Workplace, before: Oid, after: Oid): Promise<boolean> {
  return (await findRuns(workplace, before, after)).length > 0;
}

/** A squash brings files only: what an earlier commit had in it stays behind. */
async function refuseLeaks(workplace: Workplace, { before, squash }: Line, link: Link): Promise<void> {
  const { environment } = link.candidate;
  if (squash) await refuseLeakyChanges(workplace, environment, { before: link.before, after: link.commit });
  else await refuseLeakyCommits(workplace, environment, before);
}

async function whyUnfit(look: () => Promise<void>): Promise<CoppiceError | undefined> {
  try {
    await look();
    return undefined;
  } catch (error) {
    if (error instanceof CoppiceError) return error;
    throw error;
  }
}
