/** One file of a hostile tree by its path, component by component without following links. */
import { bytePathFromText } from '../domain/byte-path.ts';
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
