/**
 * The repository's own store of Git LFS content, `lfs/objects/<ab>/<cd>/<sha256>` (git-lfs specification, docs/spec.md):
 * what is put here is found and pushed by git-lfs as if it had put it there. Nothing of git-lfs runs.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ifPresent } from '../../platform/errno.ts';
import { writeFailure } from '../checkpoint/pack-files.ts';
import type { LfsPointer } from './pointer.ts';

export interface LfsStore {
  /** Durable when it resolves. Throws `disk-full`, `objects-not-writable` (kind `unavailable`). */
  put(pointer: LfsPointer, content: Buffer): Promise<void>;
  /** For content that comes piece by piece. */
  begin(): Promise<LfsDraft>;
  /** Makes a file with the content of `pointer` at `target`, which must not exist; false where the content is not here. */
  copyTo(pointer: LfsPointer, target: Buffer, mode: number): Promise<boolean>;
  has(pointer: LfsPointer): Promise<boolean>;
}

export interface LfsDraft {
  add(piece: Uint8Array): Promise<void>;
  /** What it stands for so far. */
  pointer(): LfsPointer;
  /** Durable when it resolves. */
  keep(): Promise<void>;
  /** To be called in the end, whatever happened. */
  release(): Promise<void>;
}

/** `find` says where the `lfs` directory is. */
export function openLfsStore(find: () => Promise<string>): LfsStore {
  let found: Promise<string> | undefined;
  const root = () => {
    found ??= find();
    return found;
  };
  const pathOf = async ({ sha256 }: LfsPointer) =>
    join(await root(), 'objects', sha256.slice(0, 2), sha256.slice(2, 4), sha256);

  const has = async (pointer: LfsPointer) => (await ifPresent(stat(await pathOf(pointer))))?.size === pointer.size;

  const begin = async (): Promise<LfsDraft> => {
    const folder = join(await root(), 'tmp');
    const draft = join(folder, `coppice-${randomBytes(8).toString('hex')}`);
    const hash = createHash('sha256');
    let size = 0;
    let file: FileHandle | undefined;
    const pointer = () => ({ sha256: hash.copy().digest('hex'), size });
    const keep = async () => {
      if (file === undefined || (await has(pointer()))) return;
      await file.sync();
      const target = await pathOf(pointer());
      const folder = dirname(target);
      const made = await mkdir(folder, { recursive: true });
      await rename(draft, target);
      await syncDirectory(folder);
      // A directory is there for sure only when the one above it is synced too.
      for (let at = folder; made !== undefined && at.length >= made.length; at = dirname(at)) {
        await syncDirectory(dirname(at));
      }
    };
    return {
      add: (piece) =>
        telling(folder, async () => {
          if (file === undefined) {
            await mkdir(folder, { recursive: true });
            file = await open(draft, 'wx', 0o644);
          }
          hash.update(piece);
          size += piece.length;
          await file.writeFile(piece);
        }),
      pointer,
      keep: () => telling(folder, keep),
      async release() {
        await file?.close();
        if (file !== undefined) await rm(draft, { force: true });
        file = undefined;
      },
    };
  };

  return {
    async put(pointer, content) {
      if (await has(pointer)) return;
      const draft = await begin();
      try {
        await draft.add(content);
        await draft.keep();
      } finally {
        await draft.release();
      }
    },
    begin,
    has,
    async copyTo(pointer, target, mode) {
      if (!(await has(pointer))) return false;
      // A copy that shares its blocks where the file system can.
      await copyFile(await pathOf(pointer), target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await chmod(target, mode);
      return true;
    },
  };
}

/** An error of the system as one of ours. */
async function telling(directory: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw writeFailure(error, directory);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
