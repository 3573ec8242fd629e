/** Two commits that may be merged, and what came of merging them, in a form that can be kept and shown. */
import { textOf } from '../../domain/byte-path.ts';
import type { ConflictKind, ConflictRegion, Foreseen, MergePair } from '../../git/merging.ts';

export interface ConflictFile {
  readonly path: string;
  readonly kind: ConflictKind;
  /** Empty where there are no lines to point at: a binary file, a mode, a removal. */
  readonly regions: readonly ConflictRegion[];
}

export type Verdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'conflict'; readonly files: readonly ConflictFile[] }
  /** They cannot be merged at all, and why: their histories share nothing, say. */
  | { readonly kind: 'impossible'; readonly reason: string };

export function verdictOf(outcome: Foreseen): Verdict {
  if (outcome.kind === 'clean') return { kind: 'clean' };
  if (outcome.kind === 'impossible') return { kind: 'impossible', reason: outcome.error.message };
  const { conflicts } = outcome;
  return {
    kind: 'conflict',
    // A file that had to make way has the other side's commit in its name.
    files: conflicts.map(({ path, kind, regions = [] }) => ({
      path: textOf(path).replace(/~[0-9a-f]{40,64}(_\d+)?$/, ''),
      kind,
      regions,
    })),
  };
}

/** Every process names a merge alike. */
export function keyOf({ ours, theirs, base }: MergePair): string {
  return `${ours} ${theirs} ${base ?? '-'}`;
}

export type Known = (pair: MergePair) => Verdict | undefined;

export function isConflict(verdict: Verdict | undefined): boolean {
  return verdict !== undefined && verdict.kind !== 'clean';
}
