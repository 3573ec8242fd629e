/** Tells those who subscribe to the daemon when environments of a repository begin or cease to conflict. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DaemonEvent } from './daemon/events.ts';
import { describeError } from './daemon/failures.ts';
import { shortName } from './domain/ref-name.ts';
import type { ConflictChange } from './environment/conflicts/changes.ts';
import { followConflicts } from './environment/conflicts/follow.ts';
import type { Environment } from './environment/environment.ts';
import type { Workplace } from './environment/workplace.ts';
import { ifPresent } from './platform/errno.ts';

export type Emit = (event: DaemonEvent) => void;

export interface Conflicts {
  /** Something has moved. */
  look(): void;
  /** Somebody else may have moved something: a branch, an environment without a daemon. */
  lookIfMoved(environments: readonly Environment[]): Promise<void>;
}

/** Files listed in one event. */
const listed = 50;

export function conflictsIn(workplace: Workplace, emit: Emit): Conflicts {
  const { repository } = workplace;
  const about = (name: string) => ({ repository: repository.id, name, at: workplace.now().toISOString() });
  const follower = followConflicts(
    workplace,
    (change) => emit({ ...about(change.cell.theirs.environment.name), ...eventOf(change) }),
    (error) => emit({ ...about(''), type: 'error', ...describeError(error) }),
  );
  let seen = '';
  return {
    look: () => follower.look(),
    async lookIfMoved(environments) {
      const now = await stampOf(repository.commonDirectory, environments);
      if (now !== seen && environments.length > 0) follower.look();
      seen = now;
    },
  };
}

function eventOf({ cell: { ours, verdict }, state }: ConflictChange) {
  const files = state !== 'ended' && verdict.kind === 'conflict' ? verdict.files : [];
  return {
    type: 'conflict' as const,
    state,
    with: { kind: ours.kind, name: ours.kind === 'target' ? shortName(ours.branch) : ours.environment.name },
    conflicting: files.length,
    files: files.slice(0, listed).map(({ path, kind }) => ({ path, kind })),
  };
}

/** Changes when a branch or a target of them may have moved. No process: it is asked every few seconds. */
async function stampOf(commonDirectory: string, environments: readonly Environment[]): Promise<string> {
  const branches = new Set(
    environments.flatMap(({ refs, target }) => [refs.branch, ...(target === undefined ? [] : [target])]),
  );
  const files = ['packed-refs', 'reftable/tables.list', ...branches];
  const found = await Promise.all(files.map((file) => ifPresent(stat(join(commonDirectory, file)))));
  return found.map((one) => (one === undefined ? '' : `${one.ino} ${one.size} ${one.ctimeMs}`)).join('\n');
}
