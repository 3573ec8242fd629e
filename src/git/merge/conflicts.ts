/** What kind of conflict each path has, from the types git gives its messages. Pure. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { Conflict, ConflictKind } from '../merging.ts';
import type { MergeMessage, MergeReport, StagedEntry } from './merge-report.ts';

/** In order of how much they say: a path can be in several messages. */
const kinds: readonly (readonly [prefix: string, kind: ConflictKind])[] = [
  ['CONFLICT (submodule', 'submodule'],
  ['CONFLICT (rename/rename)', 'rename/rename'],
  ['CONFLICT (rename involved in collision)', 'rename/rename'],
  ['CONFLICT (rename/delete)', 'rename/delete'],
  ['CONFLICT (modify/delete)', 'modify/delete'],
  ['CONFLICT (file/directory)', 'file/directory'],
  ['CONFLICT (directory rename', 'directory rename'],
  ['CONFLICT(directory rename', 'directory rename'],
  ['CONFLICT (file in way of directory rename', 'directory rename'],
  ['CONFLICT (distinct modes)', 'mode'],
  ['CONFLICT (binary)', 'binary'],
  ['CONFLICT (contents)', 'content'],
];

export function conflictsOf({ entries, messages }: MergeReport): readonly Conflict[] {
  const byPath = new Map<BytePath, StagedEntry[]>();
  for (const entry of entries) {
    const found = byPath.get(entry.path);
    if (found === undefined) byPath.set(entry.path, [entry]);
    else found.push(entry);
  }
  // A conflict about a directory (whose renames are unclear) has no entry of its own.
  for (const { paths } of messages.filter(isConflict)) {
    const [first] = paths;
    if (first !== undefined && !paths.some((path) => byPath.has(path))) byPath.set(first, []);
  }
  return [...byPath].map(([path, staged]) => {
    const at = (stage: number) => {
      const entry = staged.find((each) => each.stage === stage);
      return entry === undefined ? undefined : { mode: entry.mode, oid: entry.oid };
    };
    const sides = { base: at(1), ours: at(2), theirs: at(3) };
    return { path, kind: kindOf(path, sides, messages), ...sides };
  });
}

export function isConflict({ type }: MergeMessage): boolean {
  return type.startsWith('CONFLICT');
}

type Sides = Pick<Conflict, 'base' | 'ours' | 'theirs'>;

function kindOf(path: BytePath, sides: Sides, messages: readonly MergeMessage[]): ConflictKind {
  const types = messages.filter(({ paths }) => paths.includes(path)).map(({ type }) => type);
  const kind = kinds.find(([prefix]) => types.some((type) => type.startsWith(prefix)))?.[1] ?? 'other';
  if (kind !== 'content') return kind;
  if (sides.base === undefined) return 'add/add';
  const contents = new Set([sides.base.oid, sides.ours?.oid, sides.theirs?.oid]);
  return contents.size < 3 ? 'mode' : kind;
}
