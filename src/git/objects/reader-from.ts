/** Makes an object reader out of ways to get at bytes: each is asked in turn, and all parse alike. */
import { CoppiceError } from '../../domain/error.ts';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import { parseCommit } from './commit-object.ts';
import type { ObjectReader, ObjectType, ReadObject } from './object-reader.ts';
import { parseTree } from './tree-object.ts';

export function readerFrom(format: ObjectFormat, sources: readonly ReadObject[]): ObjectReader {
  const read = async (oid: Oid, type: ObjectType) => {
    for (const source of sources) {
      const content = await source(oid, type);
      if (content !== undefined) return content;
    }
    throw new CoppiceError('not-found', 'no-such-object', `${oid} is not a ${type} in this repository.`, {
      hint: 'Fetch it, or check the object name.',
      data: { oid, type },
    });
  };
  return {
    readCommit: async (oid) => parseCommit(oid, await read(oid, 'commit')),
    readTree: async (oid) => parseTree(await read(oid, 'tree'), format),
    readBlob: (oid) => read(oid, 'blob'),
  };
}
