/** What changed between two looks at the conflicts. Pure. */
import type { Cell, Side } from './matrix.ts';
import { isConflict } from './pair.ts';

export interface ConflictChange {
  readonly cell: Cell;
  /** `changed`: other files, or other kinds of conflict. */
  readonly state: 'begun' | 'changed' | 'ended';
}

/** A pair that is not there any more, or has nothing to merge any more, has ended. */
export function conflictChanges(before: readonly Cell[], after: readonly Cell[]): readonly ConflictChange[] {
  const [old, young] = [before, after].map(
    (cells) => new Map(cells.filter(({ verdict }) => isConflict(verdict)).map((cell) => [idOf(cell), cell])),
  );
  const changes: ConflictChange[] = [];
  for (const [id, cell] of young ?? []) {
    const known = old?.get(id);
    if (known === undefined) changes.push({ cell, state: 'begun' });
    else if (filesOf(known) !== filesOf(cell)) changes.push({ cell, state: 'changed' });
  }
  for (const [id, cell] of old ?? []) if (!young?.has(id)) changes.push({ cell, state: 'ended' });
  return changes;
}

function idOf({ ours, theirs }: Cell): string {
  return `${sideId(ours)} ${sideId(theirs)}`;
}

function sideId(side: Side): string {
  return side.kind === 'target' ? side.branch : `${side.environment.name} ${side.environment.record.createdAt}`;
}

/** Lines move all the time while somebody writes above them. */
function filesOf({ verdict }: Cell): string {
  return JSON.stringify(verdict.kind === 'conflict' ? verdict.files.map(({ path, kind }) => [path, kind]) : verdict);
}
