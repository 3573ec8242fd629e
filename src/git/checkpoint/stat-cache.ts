/**
 * What each file was when it was last read: its times and the object it became. A file that still looks the same is
 * not read again. Kept on disk between processes, whole or not at all; nothing but a hint, since every entry is only
 * believed where the file's stat is equal to the last bit.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type BytePath, bytesOf } from '../../domain/byte-path.ts';
import type { FileMode, Held } from '../../domain/change.ts';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import type { FileStat, Glance } from '../../platform/tree-reader.ts';
import type { HoldLimits } from '../checkpointer.ts';
import { type SeenFiles, seenFiles } from './seen-files.ts';

export interface Seen {
  readonly mode: FileMode;
  readonly oid: Oid;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
  /** So fresh when it was read that a later write may not show in its times: read it again. */
  readonly racy: boolean;
}

/** Files held because there were too many at once stay held, until the limits change. */
export interface Overflow {
  readonly limits: HoldLimits;
  readonly held: readonly Held[];
}

export interface StatCache {
  readonly seen: SeenFiles;
  readonly overflow: Overflow | undefined;
}

/** Milliseconds within which two writes can carry the same time (the kernel's clock ticks every 1–10 ms). */
export const racyWindow = 50;

export function seenAs(stat: FileStat, mode: FileMode, oid: Oid, readAt: number): Seen {
  const { size, mtimeMs, ctimeMs, ino } = stat;
  return { mode, oid, size, mtimeMs, ctimeMs, ino, racy: Math.max(mtimeMs, ctimeMs) > readAt - racyWindow };
}

/** Whether the file is for certain what was seen. */
export function looksUnchanged(seen: Seen, stat: Glance): boolean {
  return (
    !seen.racy &&
    seen.size === stat.size &&
    seen.mtimeMs === stat.mtimeMs &&
    seen.ctimeMs === stat.ctimeMs &&
    seen.ino === stat.ino
  );
}

const magic = 'coppice stat cache 1\n';
const modes: readonly FileMode[] = ['100644', '100755', '120000', '160000'];
const racyFlag = 0x80;
/** Path length (4), mode and flag (1), size, mtime, ctime, inode as doubles (32). */
const fixedSize = 4 + 1 + 32;

/** A missing, foreign or damaged cache is an empty one. */
export async function readStatCache(path: string, format: ObjectFormat): Promise<StatCache> {
  const content = await readFile(path).catch(() => undefined);
  return (content === undefined ? undefined : decode(content, format)) ?? { seen: seenFiles(), overflow: undefined };
}

export async function writeStatCache(path: string, format: ObjectFormat, cache: StatCache): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      for (const part of encode(cache, format)) await file.write(part);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function* encode(cache: StatCache, format: ObjectFormat): Generator<Buffer> {
  const hash = createHash('sha1');
  const sealed = (part: Buffer) => {
    hash.update(part);
    return part;
  };
  const overflow = Buffer.from(JSON.stringify(cache.overflow ?? null), 'latin1');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(overflow.length);
  head.writeUInt32BE(cache.seen.size, 4);
  yield sealed(Buffer.concat([Buffer.from(`${magic}${format}\n`), head, overflow]));
  let batch: Buffer[] = [];
  for (const [path, seen] of cache.seen.entries()) {
    batch.push(encodeEntry(path, seen));
    if (batch.length < 1024) continue;
    yield sealed(Buffer.concat(batch));
    batch = [];
  }
  yield sealed(Buffer.concat(batch));
  yield hash.digest();
}

function encodeEntry(path: BytePath, seen: Seen): Buffer {
  const name = bytesOf(path);
  const entry = Buffer.allocUnsafe(fixedSize + seen.oid.length / 2 + name.length);
  entry.writeUInt32BE(name.length, 0);
  entry.writeUInt8(modes.indexOf(seen.mode) | (seen.racy ? racyFlag : 0), 4);
  entry.writeDoubleBE(seen.size, 5);
  entry.writeDoubleBE(seen.mtimeMs, 13);
  entry.writeDoubleBE(seen.ctimeMs, 21);
  entry.writeDoubleBE(seen.ino, 29);
  entry.write(seen.oid, fixedSize, 'hex');
  name.copy(entry, fixedSize + seen.oid.length / 2);
  return entry;
}

function decode(content: Buffer, format: ObjectFormat): StatCache | undefined {
  const start = `${magic}${format}\n`;
  const body = content.subarray(0, -20);
  if (body.toString('latin1', 0, start.length) !== start || body.length < start.length + 8) return undefined;
  if (!createHash('sha1').update(body).digest().equals(content.subarray(-20))) return undefined;
  const overflowSize = body.readUInt32BE(start.length);
  const count = body.readUInt32BE(start.length + 4);
  const entriesAt = start.length + 8 + overflowSize;
  const overflow = parseOverflow(body.toString('latin1', start.length + 8, entriesAt));
  return { seen: decodeEntries(body, entriesAt, count, format === 'sha1' ? 20 : 32), overflow };
}

function decodeEntries(body: Buffer, start: number, count: number, width: number): SeenFiles {
  const seen = seenFiles();
  for (let at = start, index = 0; index < count; index++) {
    const pathAt = at + fixedSize + width;
    const end = pathAt + body.readUInt32BE(at);
    const flags = body.readUInt8(at + 4);
    seen.set(body.toString('latin1', pathAt, end) as BytePath, {
      mode: modes[flags & ~racyFlag] ?? '100644',
      oid: body.toString('hex', at + fixedSize, pathAt) as Oid,
      size: body.readDoubleBE(at + 5),
      mtimeMs: body.readDoubleBE(at + 13),
      ctimeMs: body.readDoubleBE(at + 21),
      ino: body.readDoubleBE(at + 29),
      racy: (flags & racyFlag) !== 0,
    });
    at = end;
  }
  return seen;
}

/** The checksum has vouched for what is in it. */
function parseOverflow(text: string): Overflow | undefined {
  const parsed: Overflow | null = JSON.parse(text);
  return parsed ?? undefined;
}
