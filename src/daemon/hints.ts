/** Hinted paths gathered until they are acted upon. */
import type { BytePath } from '../domain/byte-path.ts';

/** Beyond this many paths one scan of everything costs less. */
const most = 1000;

export interface Hints {
  readonly empty: boolean;
  /** The root was hinted, or too many paths. */
  readonly everything: boolean;
  add(path: BytePath | ''): void;
  /** Whether the path, or a directory above it, is among them. */
  covers(path: BytePath): boolean;
  /** What to look at: no path below another. */
  paths(): readonly BytePath[];
  addAll(other: Hints): void;
}

export function makeHints(): Hints {
  const paths = new Set<string>();
  let everything = false;
  const add = (path: BytePath | '') => {
    if (everything) return;
    paths.add(path);
    everything = path === '' || paths.size > most;
    if (everything) paths.clear();
  };
  const covers = (path: BytePath) =>
    everything || paths.has(path) || [...directoriesAbove(path)].some((d) => paths.has(d));
  const hasAbove = (path: string) => [...directoriesAbove(path)].some((directory) => paths.has(directory));
  return {
    get empty() {
      return !everything && paths.size === 0;
    },
    get everything() {
      return everything;
    },
    add,
    covers,
    paths: () => [...paths].filter((path): path is BytePath => !hasAbove(path)),
    addAll: (other) => {
      if (other.everything) add('');
      else for (const path of other.paths()) add(path);
    },
  };
}

function* directoriesAbove(path: string): Generator<string> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) yield path.slice(0, end);
}
