/**
 * Fills the stat cache of a tree that has just been checked out, so that its first scan reads no file: what the branch's
 * tip has, with each file's stat. Only right while nobody else can have written to the tree.
 */
import type { BytePath } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import { breathing } from '../../platform/slices.ts';
import { statAt } from '../../platform/tree-reader.ts';
import type { CheckpointerRequest } from '../checkpointer.ts';
import { openDirectoryCursor } from './directory-cursor.ts';
import type { CheckpointerDependencies } from './open-checkpointer.ts';
import { canonicalMode } from './read-file.ts';
import { seenFiles } from './seen-files.ts';
import { racyWindow, seenAs, writeStatCache } from './stat-cache.ts';

export async function seedStatCache(
  request: Pick<CheckpointerRequest, 'tree' | 'branch' | 'cache'>,
  { git, objectFormat }: CheckpointerDependencies,
): Promise<void> {
  const { stdout } = await git.run(['ls-tree', '-r', '-z', '--full-tree', request.branch]);
  const seen = seenFiles();
  const breathe = breathing();
  const cursor = openDirectoryCursor(request.tree);
  let newest = 0;
  try {
    for (const line of stdout.toString('latin1').split('\0')) {
      const [meta = '', path = ''] = split(line);
      const [mode = '', kind, oid] = meta.split(' ');
      if (kind !== 'blob') continue;
      await breathe();
      const names = path.split('/');
      const parent = cursor.enter(names.slice(0, -1));
      const stat = typeof parent === 'number' ? statAt(parent, names.at(-1) ?? '') : parent;
      if (typeof stat === 'string' || (stat.kind === 'link') !== (mode === '120000') || stat.kind === 'directory')
        continue;
      newest = Math.max(newest, stat.mtimeMs, stat.ctimeMs);
      // Nobody writes now, so that no later write can have these times once the clock has moved on: see below.
      seen.set(path as BytePath, seenAs(stat, canonicalMode(mode), oid as Oid, Number.POSITIVE_INFINITY));
    }
  } finally {
    cursor.close();
  }
  const wait = Math.min(newest + racyWindow - Date.now(), racyWindow);
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  await writeStatCache(request.cache, objectFormat, { seen, overflow: undefined });
}

/** At the first tab: a path may have more of them. */
function split(line: string): readonly string[] {
  const tab = line.indexOf('\t');
  return tab < 0 ? [] : [line.slice(0, tab), line.slice(tab + 1)];
}
