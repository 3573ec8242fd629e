/** Goes from file to file of a tree in path order, keeping the directories on the way open. */
import { closeDirectory, openDirectory, openTree, type ReadFailure } from '../../platform/tree-reader.ts';

export interface DirectoryCursor {
  /** A descriptor of the directory with these components; good until the next call. */
  enter(directories: readonly string[]): number | ReadFailure;
  close(): void;
}

export function openDirectoryCursor(root: string): DirectoryCursor {
  const base = openTree(root);
  const open: { readonly name: string; readonly descriptor: number }[] = [];
  const leave = (depth: number) => {
    for (const { descriptor } of open.splice(depth).toReversed()) closeDirectory(descriptor);
  };
  return {
    enter(directories) {
      let shared = 0;
      while (shared < open.length && open[shared]?.name === directories[shared]) shared += 1;
      leave(shared);
      for (const name of directories.slice(shared)) {
        const descriptor = openDirectory(open.at(-1)?.descriptor ?? base, name);
        if (typeof descriptor !== 'number') return descriptor;
        open.push({ name, descriptor });
      }
      return open.at(-1)?.descriptor ?? base;
    },
    close() {
      leave(0);
      closeDirectory(base);
    },
  };
}
