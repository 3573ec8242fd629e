/**
 * Objects by isomorphic-git, in process (about 1 ms a read). By name only: it never resolves a reference, reads an index or
 * writes, because there it goes wrong (FACTS §3); the file system it is given cannot be written.
 */
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import git from 'isomorphic-git';
import { CoppiceError } from '../../domain/error.ts';
import type { ReadObject } from './object-reader.ts';

/** Of a SHA-1 repository without alternates; the caller has made sure. Undefined where it does not find the object. */
export function isomorphicObjects(commonDirectory: string): ReadObject {
  // Indexes and packs read once are kept here. Packs that git has since rolled up are found missing, and native git is asked.
  const cache = {};
  return async (oid, type) => {
    try {
      const found = await git.readObject({ fs: readOnly, gitdir: commonDirectory, oid, format: 'content', cache });
      return found.type === type ? asBuffer(found.object) : undefined;
    } catch (error) {
      // Whatever it trips over — a pack repacked under its hands, a format of index it does not know — native git may not.
      if (error instanceof Error) return undefined;
      throw error;
    }
  };
}

function asBuffer(content: unknown): Buffer | undefined {
  if (!(content instanceof Uint8Array)) return undefined;
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}

const refuse = () =>
  Promise.reject(new CoppiceError('bug', 'read-only', 'isomorphic-git tried to write into the repository.'));

const readOnly = {
  promises: {
    readFile,
    readdir,
    stat,
    lstat,
    readlink,
    writeFile: refuse,
    unlink: refuse,
    mkdir: refuse,
    rmdir: refuse,
    symlink: refuse,
    chmod: refuse,
  },
};
