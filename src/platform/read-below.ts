/** One file or directory of a hostile tree by its path, component by component without following links. */
import { type BytePath, bytePathFromText } from '../domain/byte-path.ts';
import { closeDirectory, openDirectory, openTree, readFileAt } from './tree-reader.ts';

/** Bytes; Node's buffers end near there. */
const largest = 2 ** 31 - 1;

/** undefined where there is no regular file that can be read whole. */
export function readFileBelow(tree: string, path: string): Buffer | undefined {
  const names = bytePathFromText(path).split('/');
  const last = names.pop() ?? '';
  const opened = [openTree(tree)];
  try {
    for (const name of names) {
      const next = openDirectory(opened.at(-1) ?? -1, name);
      if (typeof next !== 'number') return undefined;
      opened.push(next);
    }
    const read = readFileAt(opened.at(-1) ?? -1, last, largest);
    return typeof read === 'string' ? undefined : read.content;
  } finally {
    for (const directory of opened) closeDirectory(directory);
  }
}

/** A descriptor of the directory at that path, for the caller to close; undefined where there is none. */
export function openDirectoryBelow(tree: string, path: BytePath): number | undefined {
  let current = openTree(tree);
  for (const name of path.split('/')) {
    const next = openDirectory(current, name);
    closeDirectory(current);
    if (typeof next !== 'number') return undefined;
    current = next;
  }
  return current;
}
