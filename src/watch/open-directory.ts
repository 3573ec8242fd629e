/**
 * Opening directories that an agent can swap for a link at any moment: one component at a time, never through a link,
 * each below the descriptor of the one before (Linux: /proc/self/fd).
 */
import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';

const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENXIO', 'ESTALE', 'ENAMETOOLONG']);

/** The path of an open directory: leads to it wherever it has been moved. */
export function pathOfOpen(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Undefined when there is no directory there that can be read. Throws when the process is out of descriptors. */
export function openDirectory(path: string | Buffer): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (absent.has(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

export type Below = 'not-a-directory' | 'unreadable' | { readonly fd: number };

/** `name` is one component, one character per byte. */
export function openBelow(fd: number, name: string): Below {
  const path = Buffer.from(`${pathOfOpen(fd)}/${name}`, 'latin1');
  // Most names are files: asking first costs less than an exception for each of them.
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return 'not-a-directory';
  const child = openDirectory(path);
  return child === undefined ? 'unreadable' : { fd: child };
}

/** Opens `names` below `root`, one by one; undefined when one of them is no directory. */
export function openChain(root: string, names: readonly string[]): number | undefined {
  let fd = openDirectory(root);
  for (const name of names) {
    if (fd === undefined) return undefined;
    const parent = fd;
    try {
      fd = openDirectory(Buffer.from(`${pathOfOpen(parent)}/${name}`, 'latin1'));
    } finally {
      closeSync(parent);
    }
  }
  return fd;
}

/** Tells a directory from another that took its place: inode numbers alone are used again at once (ext4). */
export function identityOf(fd: number): string {
  const { dev, ino, birthtimeNs } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
