/** Git objects as bytes: their names, trees and commits (gitformat of loose objects; git's fsck is the judge). */
import { createHash } from 'node:crypto';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import type { Identity } from '../repository.ts';

export type ObjectKind = 'commit' | 'tree' | 'blob';

/** A tree's entry with its mode as the object has it (`40000`, `100644`, …). */
export interface RawEntry {
  readonly mode: string;
  readonly oid: Oid;
}

/** Entries by name, one character per byte. */
export type Tree = ReadonlyMap<string, RawEntry>;

export const treeMode = '40000';

export function isTreeMode(mode: string): boolean {
  return mode === treeMode || mode === '040000';
}

export function nameOf(format: ObjectFormat, kind: ObjectKind, content: Uint8Array): Oid {
  return createHash(format).update(`${kind} ${content.length}\0`).update(content).digest('hex') as Oid;
}

export function parseTree(content: Buffer, format: ObjectFormat): Tree {
  const width = format === 'sha1' ? 20 : 32;
  const entries = new Map<string, RawEntry>();
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const nul = content.indexOf(0, space + 1);
    const mode = content.toString('latin1', at, space);
    const oid = content.toString('hex', nul + 1, nul + 1 + width) as Oid;
    entries.set(content.toString('latin1', space + 1, nul), { mode, oid });
    at = nul + 1 + width;
  }
  return entries;
}

/** Git sorts a directory as if its name ended in '/'. */
export function encodeTree(tree: Tree): Buffer {
  const keyed = [...tree].map(([name, entry]) => ({ key: isTreeMode(entry.mode) ? `${name}/` : name, name, entry }));
  keyed.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
  const parts = keyed.flatMap(({ name, entry }) => [
    Buffer.from(`${entry.mode} ${name}\0`, 'latin1'),
    Buffer.from(entry.oid, 'hex'),
  ]);
  return Buffer.concat(parts);
}

export interface CommitContent {
  readonly tree: Oid;
  readonly parent: Oid;
  /** What it merges. */
  readonly merged?: Oid;
  /** Author and committer. */
  readonly identity: Identity;
  readonly date: Date;
  readonly message: string;
}

export function encodeCommit({ tree, parent, merged, identity, date, message }: CommitContent): Buffer {
  // Git has no time before 1970, where a clock that lost its battery may be.
  const seconds = Math.max(0, Math.floor(date.getTime() / 1000));
  const who = `${identityLine(identity)} ${seconds} ${zoneOf(date)}`;
  const second = merged === undefined ? '' : `parent ${merged}\n`;
  return Buffer.from(
    `tree ${tree}\nparent ${parent}\n${second}author ${who}\ncommitter ${who}\n\n${message.replaceAll('\0', '')}`,
  );
}

/** Without what would break the header or make fsck complain; git trims the same characters from either end. */
function identityLine({ name, email }: Identity): string {
  const clean = (text: string) => text.replace(/[<>\x00-\x1f\x7f]/g, '').replace(/^[ .,:;"'\\]+|[ .,:;"'\\]+$/g, '');
  return `${clean(name) || 'coppice'} <${clean(email)}>`;
}

function zoneOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  const digits = String(Math.floor(size / 60) * 100 + (size % 60)).padStart(4, '0');
  return `${minutes < 0 ? '-' : '+'}${digits}`;
}
