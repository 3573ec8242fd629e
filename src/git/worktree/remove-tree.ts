/**
 * Deletes a directory an agent had its hands on: each component is opened below the one before and never through a link
 * (Linux: /proc/self/fd), so a directory swapped for a link at the wrong moment leads nowhere. Directories without
 * permissions are opened up first. What cannot be deleted is reported.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { errnoOf } from '../../platform/errno.ts';

const directory = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Linux's O_PATH (open(2)), which node does not name: opens what may not be read. */
const pathOnly = 0o10000000 | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Each level holds a descriptor; what lies deeper is first moved up. */
const deepest = 64;
/** Files of one directory that are deleted at once. */
const batch = 64;
/** Paths named in a report. */
const mostReported = 20;

interface Removal {
  readonly root: FileHandle;
  readonly residue: string[];
  moved: number;
}

/** Returns what is left, as paths; nothing when all is gone or nothing was there. */
export async function removeTree(path: string): Promise<readonly string[]> {
  const kind = await kindOf(path);
  if (kind === 'nothing') return [];
  if (kind === 'file') return (await gone(unlink(path))) ? [] : [path];
  const root = await openDirectory(path);
  if (root === undefined) return (await gone(rmdir(path))) ? [] : [path];
  const removal: Removal = { root, residue: [], moved: 0 };
  try {
    // What was moved up from the depths is met by the next round.
    for (let before = -1; before !== removal.moved && removal.residue.length === 0; ) {
      before = removal.moved;
      await empty(removal, root, path, 0);
    }
  } finally {
    await root.close();
  }
  if (!(await gone(rmdir(path))) && removal.residue.length === 0) removal.residue.push(path);
  return removal.residue;
}

async function empty(removal: Removal, handle: FileHandle, shown: string, depth: number): Promise<void> {
  const here = `/proc/self/fd/${handle.fd}`;
  const entries = await readdir(Buffer.from(here), { withFileTypes: true, encoding: 'buffer' });
  const directories: Buffer[] = [];
  for (let start = 0; start < entries.length; start += batch) {
    await Promise.all(
      entries.slice(start, start + batch).map(async (entry) => {
        if (entry.isDirectory()) directories.push(entry.name);
        else if (!(await deleteFile(handle, below(here, entry.name)))) report(removal, shown, entry.name);
      }),
    );
  }
  for (const name of directories) {
    if (depth >= deepest) await moveUp(removal, below(here, name), shown);
    else await removeDirectory(removal, handle, below(here, name), `${shown}/${name.toString()}`, depth);
  }
}

async function removeDirectory(removal: Removal, parent: FileHandle, path: Buffer, shown: string, depth: number) {
  const before = removal.residue.length;
  const handle = await openDirectory(path);
  if (handle !== undefined) {
    try {
      await empty(removal, handle, shown, depth + 1);
    } finally {
      await handle.close();
    }
  }
  if (await gone(rmdir(path))) return;
  await parent.chmod(0o700).catch(ignorePermission);
  if (!(await gone(rmdir(path))) && removal.residue.length === before) report(removal, shown);
}

async function deleteFile(parent: FileHandle, path: Buffer): Promise<boolean> {
  if (await gone(unlink(path))) return true;
  await parent.chmod(0o700).catch(ignorePermission);
  return gone(unlink(path));
}

async function moveUp(removal: Removal, path: Buffer, shown: string): Promise<void> {
  try {
    await rename(path, `/proc/self/fd/${removal.root.fd}/.deep-${removal.moved}-${process.pid}`);
    removal.moved += 1;
  } catch (error) {
    ignorePermission(error);
    report(removal, shown);
  }
}

function report(removal: Removal, shown: string, name?: Buffer): void {
  if (removal.residue.length < mostReported) {
    removal.residue.push(name === undefined ? shown : `${shown}/${name.toString()}`);
  }
}

function below(parent: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${parent}/`), name]);
}

/** Undefined when it is not a directory (any more) or stays closed to us. */
async function openDirectory(path: string | Buffer): Promise<FileHandle | undefined> {
  const handle = await open(path, directory).catch(ignorePermission);
  if (handle !== undefined) return handle;
  const blind = await open(path, pathOnly).catch(ignorePermission);
  if (blind === undefined) return undefined;
  try {
    // Through the descriptor it is this very directory and no link put in its place.
    await chmod(`/proc/self/fd/${blind.fd}`, 0o700).catch(ignorePermission);
    return await open(path, directory).catch(ignorePermission);
  } finally {
    await blind.close();
  }
}

const foreseen = new Set(['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'EROFS']);

function ignorePermission(error: unknown): undefined {
  if (!foreseen.has(errnoOf(error) ?? '')) throw error;
  return undefined;
}

async function gone(deletion: Promise<void>): Promise<boolean> {
  try {
    await deletion;
    return true;
  } catch (error) {
    ignorePermission(error);
    return errnoOf(error) === 'ENOENT';
  }
}

async function kindOf(path: string): Promise<'nothing' | 'file' | 'directory'> {
  try {
    return (await lstat(path)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    ignorePermission(error);
    return 'nothing';
  }
}
