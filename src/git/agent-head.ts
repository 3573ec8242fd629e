/**
 * What can be told of an agent's own git directory without running git on it: whether HEAD or a branch may have moved, and
 * whether a merge, rebase or the like is under way. Read as data, never through a link, in bounded amounts. These are
 * hints: what the commits are is only ever learnt by a fetch.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, ifPresent } from '../platform/errno.ts';

/**
 * References read, the one that HEAD names aside. Where there are more in a directory, its time tells; of what is beyond
 * that a moved branch is found by the next fetch that something else causes.
 */
const mostEntries = 200;
/** Directories below refs/heads. */
const deepest = 16;
/** Bytes of one reference file. */
const mostBytes = 1_024;

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
// A pipe put in a file's place must not make us wait for a writer.
const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A string that differs from an earlier one when HEAD, a branch or the stash may have moved; undefined when there is nothing to read. */
export async function readHeadHint(gitDirectory: string): Promise<string | undefined> {
  const root = await openNoFollow(gitDirectory, directoryFlags);
  if (root === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    const head = await readBelow(root, 'HEAD');
    if (head === undefined) return undefined;
    add(hash, 'HEAD', head);
    add(hash, 'branch', (await readNamed(root, /^ref: (refs\/heads\/[^\0\n]+)\n?$/.exec(head)?.[1])) ?? '');
    add(hash, 'packed-refs', await stampBelow(root, 'packed-refs'));
    await addRefs(hash, root);
    add(hash, 'stash', await stampOfStash(root));
    return hash.digest('hex');
  } finally {
    await root.close();
  }
}

/** The file of a reference, each directory opened below the one before. */
async function readNamed(root: FileHandle, name: string | undefined): Promise<string | undefined> {
  const parts = name?.split('/') ?? [];
  const file = parts.pop();
  if (file === undefined || parts.length > deepest || [...parts, file].some((part) => /^\.{0,2}$/.test(part)))
    return undefined;
  const opened: FileHandle[] = [];
  try {
    let directory = root;
    for (const part of parts) {
      const next = await openBelow(directory, part, directoryFlags);
      if (next === undefined) return undefined;
      opened.push(next);
      directory = next;
    }
    return await readBelow(directory, file);
  } finally {
    for (const each of opened) await each.close();
  }
}

async function addRefs(hash: Hash, root: FileHandle): Promise<void> {
  const refs = await openBelow(root, 'refs', directoryFlags);
  if (refs === undefined) return;
  try {
    await addBranches({ hash, left: mostEntries }, refs, 'heads', 0);
  } finally {
    await refs.close();
  }
}

/** Whether something may have been stashed there. */
export async function hasStash(gitDirectory: string): Promise<boolean> {
  const root = await openNoFollow(gitDirectory, directoryFlags);
  if (root === undefined) return false;
  try {
    return (await stampOfStash(root)) !== '';
  } finally {
    await root.close();
  }
}

/** Of the list of stashes: one that is not the newest is dropped from there alone. */
async function stampOfStash(root: FileHandle): Promise<string> {
  const refs = await openBelow(root, 'logs', directoryFlags);
  if (refs === undefined) return '';
  try {
    const inner = await openBelow(refs, 'refs', directoryFlags);
    if (inner === undefined) return '';
    try {
      return await stampBelow(inner, 'stash');
    } finally {
      await inner.close();
    }
  } finally {
    await refs.close();
  }
}

interface Walk {
  readonly hash: Hash;
  left: number;
}

async function addBranches(walk: Walk, parent: FileHandle, name: string, depth: number): Promise<void> {
  const directory = await openBelow(parent, name, directoryFlags);
  if (directory === undefined) return;
  try {
    add(walk.hash, 'in', name);
    const entries = await readdir(pathOf(directory), { withFileTypes: true });
    for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
      walk.left -= 1;
      if (walk.left < 0) {
        const { ino, mtimeNs } = await directory.stat({ bigint: true });
        add(walk.hash, 'and more', `${ino}:${mtimeNs}`);
        return;
      }
      if (entry.isDirectory() && depth < deepest) await addBranches(walk, directory, entry.name, depth + 1);
      else if (entry.isFile()) add(walk.hash, entry.name, (await readBelow(directory, entry.name)) ?? '');
    }
    add(walk.hash, 'out', name);
  } finally {
    await directory.close();
  }
}

/** Lengths go in too, so that no two different listings look alike. */
function add(hash: Hash, name: string, content: string): void {
  hash.update(`${name.length}:${name}${content.length}:${content}`);
}

async function readBelow(directory: FileHandle, name: string): Promise<string | undefined> {
  const file = await openBelow(directory, name, fileFlags);
  if (file === undefined) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Git replaces packed-refs by a rename: another inode or time means another content. */
async function stampBelow(directory: FileHandle, name: string): Promise<string> {
  const found = await ifPresent(lstat(join(pathOf(directory), name), { bigint: true }));
  return found === undefined ? '' : `${found.ino}:${found.size}:${found.mtimeNs}`;
}

function openBelow(directory: FileHandle, name: string, flags: number): Promise<FileHandle | undefined> {
  return openNoFollow(join(pathOf(directory), name), flags);
}

const unreadable = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENXIO', 'ENAMETOOLONG']);

async function openNoFollow(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (unreadable.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Leads to the open directory itself wherever it has been moved, whatever now has its name (Linux). */
function pathOf(directory: FileHandle): string {
  return `/proc/self/fd/${directory.fd}`;
}

export type GitOperation = 'merge' | 'rebase' | 'cherry-pick' | 'revert' | 'bisect';

/** A rebase that stops has CHERRY_PICK_HEAD or MERGE_HEAD as well: it comes first. */
const marks: readonly (readonly [file: string, operation: GitOperation])[] = [
  ['rebase-merge', 'rebase'],
  ['rebase-apply', 'rebase'],
  ['MERGE_HEAD', 'merge'],
  ['CHERRY_PICK_HEAD', 'cherry-pick'],
  ['REVERT_HEAD', 'revert'],
  ['BISECT_LOG', 'bisect'],
];

/** What git has in progress there, by the files it leaves while it is (gitrepository-layout(5)). */
export async function operationInProgress(gitDirectory: string): Promise<GitOperation | undefined> {
  for (const [file, operation] of marks) {
    if ((await ifPresent(lstat(join(gitDirectory, file)))) !== undefined) return operation;
  }
  return undefined;
}
