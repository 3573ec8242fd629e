/**
 * Changes a directory tree that somebody hostile may be changing meanwhile. As in `tree-reader.ts` every step goes through
 * the descriptor of the directory above it and follows no link, so nothing outside the tree can ever be written, moved or
 * deleted. Files come in by a rename, whole or not at all; what they replace is a file or a link, never a directory with
 * something in it.
 */
import { mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import type { BytePath } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import { errnoOf } from './errno.ts';
import { closeDirectory, namesIn, openDirectory, type ReadFailure, statAt } from './tree-reader.ts';

/** `in-the-way`: something stands there that must not be destroyed. `refused`: by the system. */
export type WriteFailure = 'in-the-way' | 'refused';

const descriptors = `/proc/${process.pid}/fd/`;
/** Somebody who keeps undoing our steps shall not keep us busy for ever. */
const attempts = 10;

/**
 * Moves `source` (a file or link of ours on the same file system) to `path` below the open directory `tree`, making the
 * directories it needs. A link or file that stands where a directory has to be is replaced by one.
 */
export function moveInto(tree: number, path: BytePath, source: Buffer): WriteFailure | undefined {
  const { parents, name } = componentsOf(path);
  return descend(tree, parents, 'make', (parent) => {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const failure = failureOf(() => renameSync(source, at(parent, name)));
      if (failure === undefined) return undefined;
      if (!directoryInTheWay.has(failure)) return meaningOf(failure);
      if (!removeEmptyTree(parent, name)) return 'in-the-way';
    }
    return 'in-the-way';
  });
}

/** Removes a file or link, then the directories above it as long as they are empty. Nothing there is no failure. */
export function removeFrom(tree: number, path: BytePath): WriteFailure | undefined {
  const { parents, name } = componentsOf(path);
  const failure = descend(tree, parents, 'find', (parent) => {
    const code = failureOf(() => unlinkSync(at(parent, name)));
    if (code === undefined || gone.has(code)) return undefined;
    const now = statAt(parent, name);
    return typeof now !== 'string' && now.kind === 'directory' ? 'in-the-way' : meaningOf(code);
  });
  if (failure === undefined) removeEmptyParents(tree, parents);
  return failure;
}

function removeEmptyParents(tree: number, parents: readonly string[]): void {
  for (let depth = parents.length; depth > 0; depth -= 1) {
    const name = parents[depth - 1] ?? '';
    const failure = descend(tree, parents.slice(0, depth - 1), 'find', (parent) =>
      failureOf(() => rmdirSync(at(parent, name))) === undefined ? undefined : 'in-the-way',
    );
    if (failure !== undefined) return;
  }
}

/** Opens one directory after the other, each below the one before; what is missing is made, or is the end of it. */
function descend(
  tree: number,
  names: readonly string[],
  missing: 'make' | 'find',
  body: (parent: number) => WriteFailure | undefined,
): WriteFailure | undefined {
  const opened: number[] = [];
  try {
    let parent = tree;
    for (const name of names) {
      const next = missing === 'make' ? enterOrMake(parent, name) : openDirectory(parent, name);
      if (next === 'gone') return missing === 'make' ? 'in-the-way' : undefined;
      if (typeof next !== 'number') return next;
      opened.push(next);
      parent = next;
    }
    return body(parent);
  } finally {
    for (const directory of opened) closeDirectory(directory);
  }
}

function enterOrMake(parent: number, name: string): number | ReadFailure {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const opened = openDirectory(parent, name);
    if (opened !== 'gone') return opened;
    const there = statAt(parent, name);
    // Only a link or file: unlink does not take directories, whatever has its name by now.
    if (typeof there !== 'string' && there.kind !== 'directory') failureOf(() => unlinkSync(at(parent, name)));
    const failure = failureOf(() => mkdirSync(at(parent, name), 0o777));
    if (failure !== undefined && failure !== 'EEXIST' && !gone.has(failure)) return 'refused';
  }
  return 'gone';
}

/** Directories within directories with nothing else in them. False: something is in there, or it is no directory. */
function removeEmptyTree(parent: number, name: string): boolean {
  const directory = openDirectory(parent, name);
  if (directory === 'gone') return true;
  if (directory === 'refused') return false;
  try {
    const names = namesIn(directory);
    if (typeof names === 'string') return false;
    for (const child of names) if (!isDirectory(directory, child) || !removeEmptyTree(directory, child)) return false;
  } finally {
    closeDirectory(directory);
  }
  const failure = failureOf(() => rmdirSync(at(parent, name)));
  return failure === undefined || gone.has(failure);
}

function isDirectory(parent: number, name: string): boolean {
  const stat = statAt(parent, name);
  return typeof stat !== 'string' && stat.kind === 'directory';
}

/** A name such as `..` would lead out of the directory whose descriptor it is used with; `.git` is not ours to write. */
function componentsOf(path: BytePath): { readonly parents: readonly string[]; readonly name: string } {
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..' || name === '.git' || name.includes('\0'))) {
    throw new CoppiceError('bug', 'bad-tree-path', `${JSON.stringify(path)} is no path below a tree.`);
  }
  return { parents: names.slice(0, -1), name: names.at(-1) ?? '' };
}

const directoryInTheWay: ReadonlySet<string> = new Set(['EISDIR', 'ENOTEMPTY', 'EEXIST']);
const gone: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR']);
const refused: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EBUSY',
  'EROFS',
  'EIO',
  'ENOSPC',
  'EDQUOT',
  'ENAMETOOLONG',
]);

/** The code of what went wrong; anything that is not about this file (no descriptors left, …) is thrown. */
function failureOf(step: () => void): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (directoryInTheWay.has(code) || gone.has(code) || refused.has(code)) return code;
    throw error;
  }
}

function meaningOf(code: string): WriteFailure {
  return refused.has(code) ? 'refused' : 'in-the-way';
}

/** Names in the tree are one character per byte. */
function at(parent: number, name: string): Buffer {
  return Buffer.from(`${descriptors}${parent}/${name}`, 'latin1');
}
