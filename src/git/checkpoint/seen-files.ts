/**
 * What is known of files, by the directories they are in: a look at everything asks for names that the system has just
 * listed, and makes no path of any.
 */
import { type BytePath, joinPath } from '../../domain/byte-path.ts';
import type { Seen } from './stat-cache.ts';

export interface SeenFiles {
  readonly size: number;
  get(path: BytePath): Seen | undefined;
  has(path: BytePath): boolean;
  set(path: BytePath, seen: Seen): void;
  delete(path: BytePath): void;
  /** By name; undefined where nothing is known. */
  in(directory: BytePath | ''): ReadonlyMap<string, Seen> | undefined;
  entries(): Iterable<readonly [BytePath, Seen]>;
  values(): Iterable<Seen>;
}

export function seenFiles(): SeenFiles {
  const directories = new Map<BytePath | '', Map<string, Seen>>();
  let size = 0;
  const get = (path: BytePath) => directories.get(directoryOf(path))?.get(nameOf(path));
  return {
    get size() {
      return size;
    },
    get,
    has: (path) => get(path) !== undefined,
    set(path, seen) {
      const directory = directoryOf(path);
      const files = directories.get(directory) ?? new Map<string, Seen>();
      if (files.size === 0) directories.set(directory, files);
      size -= files.size;
      files.set(nameOf(path), seen);
      size += files.size;
    },
    delete(path) {
      const directory = directoryOf(path);
      const files = directories.get(directory);
      if (files?.delete(nameOf(path))) size -= 1;
      if (files?.size === 0) directories.delete(directory);
    },
    in: (directory) => directories.get(directory),
    *entries() {
      for (const [directory, files] of directories) {
        for (const [name, seen] of files) yield [joinPath(directory, name), seen] as const;
      }
    },
    *values() {
      for (const files of directories.values()) yield* files.values();
    },
  };
}

function directoryOf(path: BytePath): BytePath | '' {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as BytePath | '';
}

function nameOf(path: BytePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
