/** What is remembered of an environment's conflicts, without looking into anything: for lists. */
import { shortName } from '../../domain/ref-name.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { type Meeting, meetingsOf, type Side } from './matrix.ts';
import { isConflict } from './pair.ts';
import { openVerdictCache } from './verdict-cache.ts';

export interface KnownConflicts {
  /** Branches and environments it conflicts with. */
  readonly with: readonly string[];
  /** Whether every pair it is in has been looked at since either of the two moved. */
  readonly complete: boolean;
}

/** `isSettled`: has nothing to merge, so that nothing can be in its way. */
export async function knownConflicts(
  workplace: Workplace,
  all: readonly Environment[],
  isSettled: (environment: Environment) => boolean,
): Promise<(environment: Environment) => KnownConflicts> {
  const environments = all.filter((each) => each.record.stage !== 'creating' && !isSettled(each));
  const [cache, meetings] = await Promise.all([
    openVerdictCache(workplace.repository.commonDirectory),
    meetingsOf(workplace, environments),
  ]);
  const verdicts = new Map(meetings.map((meeting) => [meeting, cache.get(meeting.pair)]));
  return (environment) => {
    const own = meetings.filter((meeting) => otherSide(meeting, environment) !== undefined);
    return {
      with: own
        .filter((meeting) => isConflict(verdicts.get(meeting)))
        .flatMap((meeting) => otherSide(meeting, environment) ?? [])
        .map(nameOf),
      complete: own.every((meeting) => verdicts.get(meeting) !== undefined),
    };
  };
}

/** Undefined where the environment is not in it. */
function otherSide({ ours, theirs }: Meeting, { name }: Environment): Side | undefined {
  if (theirs.environment.name === name) return ours;
  return ours.kind === 'environment' && ours.environment.name === name ? theirs : undefined;
}

function nameOf(side: Side): string {
  return side.kind === 'target' ? shortName(side.branch) : side.environment.name;
}
