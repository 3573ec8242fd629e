/**
 * The files that make a pack: under names that no git takes for a pack, or for rubbish of its own, until they are whole;
 * then with a `.keep` beside them until the caller lets go of it, because what no reference reaches yet is what a
 * `git gc --prune=now` or `git repack -ad` at the same moment deletes (git's own fetch does the same).
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { errnoOf } from '../../platform/errno.ts';

export interface PackFiles {
  /** The pack, made when first asked for, open for reading and writing. */
  open(): Promise<FileHandle>;
  /** Makes the pack and its index durable and visible as `pack-<checksum>`, kept from pruning. */
  publish(checksum: Buffer, index: Buffer): Promise<void>;
  /** Removes what is not published, and lets go of what is. */
  release(): Promise<void>;
}

/** What the names of unfinished files begin with. Not `tmp_`: `git prune` deletes those. */
export const unfinished = 'coppice-writing-';
/** What stands in a `.keep` of ours: one that a crash left behind can be told from the user's. */
export const keepText = 'coppice: until the branch has moved\n';

export function packFiles(directory: string): PackFiles {
  const stem = join(directory, `${unfinished}${process.pid}-${randomBytes(6).toString('hex')}`);
  const temporary = { pack: `${stem}-pack`, index: `${stem}-idx` };
  let file: FileHandle | undefined;
  let keep: string | undefined;
  return {
    async open() {
      file ??= await create(directory, temporary.pack);
      return file;
    },
    async publish(checksum, index) {
      const final = join(directory, `pack-${checksum.toString('hex')}`);
      keep = `${final}.keep`;
      await Promise.all([file?.datasync(), writeDurably(temporary.index, index), writeFile(keep, keepText)]);
      // The index makes the pack visible: last.
      await rename(temporary.pack, `${final}.pack`);
      await rename(temporary.index, `${final}.idx`);
      const written = file;
      file = undefined;
      await Promise.all([written?.close(), syncDirectory(directory)]);
    },
    async release() {
      await file?.close();
      const left = file === undefined ? [] : Object.values(temporary);
      file = undefined;
      if (keep !== undefined) left.push(keep);
      keep = undefined;
      await Promise.all(left.map((path) => rm(path, { force: true })));
    },
  };
}

/** All of it: a disk that fills up takes a part without an error, and only the next write has one. */
export async function writeAll(file: FileHandle, parts: readonly Buffer[]): Promise<void> {
  const { bytesWritten } = await file.writev([...parts]);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (bytesWritten < length) await file.writeFile(Buffer.concat(parts).subarray(bytesWritten));
}

/** What the system said about writing objects, as an error with a way out. Anything else stays what it is. */
export function writeFailure(error: unknown, packDirectory: string): unknown {
  const code = errnoOf(error);
  const directory = dirname(packDirectory);
  if (code === undefined) return error;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return full
    ? new CoppiceError('unavailable', 'disk-full', `There is no space left in ${directory}.`, {
        hint: 'Free some; what has changed stays in its files and is saved then.',
        data: { directory },
        cause: error,
      })
    : new CoppiceError('unavailable', 'objects-not-writable', `${directory} cannot be written (${code}).`, {
        hint: 'Check its permissions and its disk; what has changed stays in its files and is saved then.',
        data: { directory, code },
        cause: error,
      });
}

async function create(directory: string, path: string): Promise<FileHandle> {
  const make = () => open(path, 'wx+', 0o444);
  try {
    return await make();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    await mkdir(directory, { recursive: true });
    return make();
  }
}

async function writeDurably(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o444);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
