/** Immutable objects by name: for processes that live long and read many (log, timeline, review page). */
import type { Oid } from '../../domain/oid.ts';
import type { CommitInfo, ListedEntry } from '../repository.ts';

/** Methods may run concurrently. Each throws `no-such-object` (kind `not-found`) for what is missing or of another type. */
export interface ObjectReader {
  readCommit(oid: Oid): Promise<CommitInfo>;
  /** One level. */
  readTree(oid: Oid): Promise<readonly ListedEntry[]>;
  readBlob(oid: Oid): Promise<Buffer>;
}

export type ObjectType = 'commit' | 'tree' | 'blob';

/** The bytes of one object, or undefined where it is not found or is of another type. */
export type ReadObject = (oid: Oid, type: ObjectType) => Promise<Buffer | undefined>;
