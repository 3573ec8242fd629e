/** Objects by native git: right everywhere, a process a read. */
import type { HostGit } from '../host-git.ts';
import { readObjects } from '../native/cat-file.ts';
import type { ReadObject } from './object-reader.ts';

export function nativeObjects(git: HostGit): ReadObject {
  return async (oid, type) => {
    const [object] = await readObjects(git, [oid]);
    return object?.type === type ? object.content : undefined;
  };
}
