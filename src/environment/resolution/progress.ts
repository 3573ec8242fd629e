/** How far the files of a conflict are: by what is checkpointed, so that anybody can ask at any time. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import { countConflicts } from '../../domain/conflict-markers.ts';
import type { Workplace } from '../workplace.ts';
import type { Resolution } from './find.ts';

/** `open`: as the merge left it. `remembered`: resolved as before, and nobody has changed that since. */
export type FileProgress = 'open' | 'markers' | 'remembered' | 'edited';

/** By path, as text. */
export async function progressOf(
  { repository }: Workplace,
  { at, record }: Resolution,
): Promise<ReadonlyMap<string, FileProgress>> {
  const { left, files, remembered } = record.conflict;
  const paths = files.map(({ path }) => textOf(path as BytePath));
  const [changes, contents] = await Promise.all([
    repository.treeChanges(left, at.tip),
    repository.readBlobsAt(paths.map((path) => ({ treeish: at.tip, path }))),
  ]);
  const touched = new Set(changes.map(({ path }) => textOf(path)));
  const known = new Set(remembered.map((path) => textOf(path as BytePath)));
  return new Map(
    paths.map((path, index) => {
      const content = contents[index];
      if (content !== undefined && countConflicts(content) > 0) return [path, touched.has(path) ? 'markers' : 'open'];
      if (touched.has(path)) return [path, 'edited'];
      return [path, known.has(path) ? 'remembered' : 'open'];
    }),
  );
}
