/**
 * What directories had in them when last listed. A directory's own times change with every entry that comes or goes, so
 * that one that looks the same need not be listed again (git's untracked cache rests on the same).
 */
import type { BytePath } from '../../domain/byte-path.ts';
import { type FileStat, namesIn, type ReadFailure, sameStat, statDirectory } from '../../platform/tree-reader.ts';
import { racyWindow } from './stat-cache.ts';

export interface Listings {
  /** The names, if the directory still looks as it did when they were read. */
  recall(path: BytePath | '', stat: FileStat): ReadonlySet<string> | undefined;
  /** Lists an open directory; undefined after telling `failed` why it cannot be. */
  list(path: BytePath | '', directory: number, failed: (failure: ReadFailure) => void): ReadonlySet<string> | undefined;
  /** Forgets directories that are not in the set. */
  keepOnly(directories: ReadonlySet<BytePath | ''>): void;
}

interface Listing {
  readonly stat: FileStat;
  readonly names: ReadonlySet<string>;
}

export function openListings(): Listings {
  const known = new Map<BytePath | '', Listing>();
  return {
    recall(path, stat) {
      const listing = known.get(path);
      return listing !== undefined && sameStat(listing.stat, stat) ? listing.names : undefined;
    },
    list(path, directory, failed) {
      known.delete(path);
      const stat = statDirectory(directory);
      const readAt = Date.now();
      const listed = namesIn(directory);
      if (typeof listed === 'string') {
        failed(listed);
        return undefined;
      }
      const names = new Set(listed);
      if (Math.max(stat.mtimeMs, stat.ctimeMs) <= readAt - racyWindow) known.set(path, { stat, names });
      return names;
    },
    keepOnly(directories) {
      for (const path of known.keys()) if (!directories.has(path)) known.delete(path);
    },
  };
}
