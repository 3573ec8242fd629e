/** Reads the bytes of a tree object. Pure. */
import { type BytePath, joinPath } from '../../domain/byte-path.ts';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import type { ListedEntry } from '../repository.ts';

/** `<mode> SP <name> NUL <raw object name>`, repeated. Modes git no longer writes (100664) become those it means. */
export function parseTree(content: Buffer, format: ObjectFormat, parent: BytePath | '' = ''): readonly ListedEntry[] {
  const size = format === 'sha1' ? 20 : 32;
  const entries: ListedEntry[] = [];
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const nul = content.indexOf(0, space);
    const path = joinPath(parent, content.toString('latin1', space + 1, nul));
    const oid = content.toString('hex', nul + 1, nul + 1 + size) as Oid;
    entries.push({ path, mode: canonicalMode(content.toString('latin1', at, space)), oid });
    at = nul + 1 + size;
  }
  return entries;
}

export function canonicalMode(octal: string): ListedEntry['mode'] {
  const mode = Number.parseInt(octal, 8);
  switch (mode & 0o170000) {
    case 0o040000:
      return '040000';
    case 0o120000:
      return '120000';
    case 0o160000:
      return '160000';
    default:
      return (mode & 0o100) === 0 ? '100644' : '100755';
  }
}
