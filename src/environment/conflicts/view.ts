/** How the files of a conflict are said in errors. */
import { textOf } from '../../domain/byte-path.ts';
import type { Conflict } from '../../git/merging.ts';

export function conflictView(conflicts: readonly Conflict[]) {
  return conflicts.map(({ path, kind, base, ours, theirs }) => ({
    path: textOf(path),
    kind: kind as string,
    base: base?.oid ?? null,
    ours: ours?.oid ?? null,
    theirs: theirs?.oid ?? null,
  }));
}
