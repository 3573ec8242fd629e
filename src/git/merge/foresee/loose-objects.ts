/** Loose objects of a quarantine, written and read in process: a handful of small ones is not worth a process of git. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import type { ObjectFormat, Oid } from '../../../domain/oid.ts';
import { ifPresent } from '../../../platform/errno.ts';
import { nameOf, type ObjectKind } from '../../checkpoint/objects.ts';

/** Not durable. `objects` is where git looks for them. */
export async function writeLoose(
  objects: string,
  format: ObjectFormat,
  kind: ObjectKind,
  content: Buffer,
): Promise<Oid> {
  const oid = nameOf(format, kind, content);
  const bytes = Buffer.concat([Buffer.from(`${kind} ${content.length}\0`), content]);
  await mkdir(join(objects, oid.slice(0, 2)), { recursive: true });
  await writeFile(pathOf(objects, oid), deflateSync(bytes, { level: 0 }));
  return oid;
}

/** Without its header; undefined where it is not loose. */
export async function readLoose(objects: string, oid: Oid): Promise<Buffer | undefined> {
  const stored = await ifPresent(readFile(pathOf(objects, oid)));
  if (stored === undefined) return undefined;
  const bytes = inflateSync(stored);
  return bytes.subarray(bytes.indexOf(0) + 1);
}

function pathOf(objects: string, oid: Oid): string {
  return join(objects, oid.slice(0, 2), oid.slice(2));
}
