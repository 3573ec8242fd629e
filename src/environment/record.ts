/** Reads and writes the record: a commit chain at refs/coppice/<name>/record whose tree holds environment.json and execs. */

import type { FileMode } from '../domain/change.ts';
import { type EnvironmentRecord, recordSchema } from '../domain/environment.ts';
import { parseEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { Workplace } from './workplace.ts';

export const recordFile = 'environment.json';

export function parseRecord(bytes: Buffer | undefined, where: string): EnvironmentRecord {
  const broken = (cause?: unknown) =>
    new CoppiceError('failed', 'record-broken', `The record of the environment at ${where} cannot be read.`, {
      hint: 'It may come from a newer coppice. `coppice doctor` says more.',
      cause,
    });
  if (bytes === undefined) throw broken();
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw broken(error);
  }
  const parsed = recordSchema.safeParse(json);
  if (!parsed.success) throw broken(parsed.error);
  return { ...parsed.data, name: parseEnvironmentName(parsed.data.name) };
}

export function serializeRecord(record: EnvironmentRecord): Buffer {
  return Buffer.from(`${JSON.stringify(record, null, 2)}\n`);
}

/** The first commit of a record's chain. No reference moves: the caller creates it together with the others. */
export async function writeFirstRecord(workplace: Workplace, record: EnvironmentRecord): Promise<Oid> {
  const blob = await workplace.repository.writeBlob(serializeRecord(record));
  const tree = await workplace.repository.writeTree(null, [{ path: recordFile, entry: fileEntry(blob) }]);
  return writeRecordCommit(workplace, tree, [], `create ${record.name}`);
}

export interface RecordFile {
  readonly path: string;
  readonly content: Buffer;
}

/** Adds or replaces files in the record. Retries when somebody else wrote it in between: files of others are kept. */
export async function updateRecord(
  workplace: Workplace,
  ref: RefName,
  files: readonly RecordFile[],
  subject: string,
): Promise<Oid> {
  const { repository } = workplace;
  const edits = [];
  for (const { path, content } of files) edits.push({ path, entry: fileEntry(await repository.writeBlob(content)) });
  for (;;) {
    const before = await repository.readRef(ref);
    if (before === undefined) {
      throw new CoppiceError('not-found', 'environment-gone', `${ref} does not exist any more.`, {
        hint: 'The environment was removed meanwhile; `coppice restore` brings it back.',
      });
    }
    const { tree } = await repository.readCommit(before);
    const after = await writeRecordCommit(workplace, await repository.writeTree(tree, edits), [before], subject);
    try {
      await repository.updateRefs([{ name: ref, before, after }], `coppice: ${subject}`);
      return after;
    } catch (error) {
      if (!hasCode(error, 'ref-moved')) throw error;
    }
  }
}

function writeRecordCommit(workplace: Workplace, tree: Oid, parents: readonly Oid[], subject: string): Promise<Oid> {
  const author = { name: 'coppice', email: 'coppice@localhost' };
  return workplace.repository.writeCommit({ tree, parents, author, committer: author, message: `${subject}\n` });
}

function fileEntry(oid: Oid): { readonly mode: FileMode; readonly oid: Oid } {
  return { mode: '100644', oid };
}
