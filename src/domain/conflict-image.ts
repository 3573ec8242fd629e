/**
 * A conflicted file as git's rerere knows it (git-rerere(1), Documentation/technical/rerere.txt): without labels and common
 * ancestors, the sides of each conflict in order, and an id that is the hash of these sides only. So the same conflict is
 * recognised from either side, and wherever in the file it is. Pure.
 */
import { createHash, type Hash } from 'node:crypto';
import { isBinary } from './conflict-markers.ts';
import type { ObjectFormat } from './oid.ts';

export interface ConflictImage {
  /** What git names the directory in its rr-cache. */
  readonly id: string;
  /** git's `preimage`. */
  readonly image: Buffer;
}

/** How long markers are unless an attribute says otherwise. */
const markerSize = 7;

/** undefined for a file without conflicts, with markers that do not match, or that is no text. */
export function conflictImage(content: Buffer, format: ObjectFormat): ConflictImage | undefined {
  if (!content.includes('<<<<<<< ') || isBinary(content)) return undefined;
  const lines = linesOf(content.toString('latin1'));
  const hash = createHash(format);
  const image: string[] = [];
  let found = false;
  for (let line = lines.next(); !line.done; line = lines.next()) {
    if (!isMarker(line.value, '<')) {
      image.push(line.value);
      continue;
    }
    const conflict = readConflict(lines, hash);
    if (conflict === undefined) return undefined;
    image.push(conflict);
    found = true;
  }
  return found ? { id: hash.digest('hex'), image: Buffer.from(image.join(''), 'latin1') } : undefined;
}

type Part = 'one' | 'ancestor' | 'two';

/** From after `<<<<<<<` to the end of `>>>>>>>`. Of conflicts within conflicts only the outer one counts for the id. */
function readConflict(lines: Iterator<string>, hash: Hash | undefined): string | undefined {
  const parts = { one: '', ancestor: '', two: '' };
  let part: Part = 'one';
  for (let line = lines.next(); !line.done; line = lines.next()) {
    const text = line.value;
    if (isMarker(text, '<')) {
      const inner = readConflict(lines, undefined);
      if (inner === undefined) return undefined;
      // git takes one within the common ancestor for part of the second side.
      parts[part === 'one' ? 'one' : 'two'] += inner;
      continue;
    }
    const next = partAfter(part, text);
    if (next === 'end') return ordered(parts.one, parts.two, hash);
    if (next === undefined) return undefined;
    if (next === part) parts[part] += text;
    part = next;
  }
  return undefined;
}

/** The same for a line within the part; undefined where a marker is out of place. */
function partAfter(part: Part, line: string): Part | 'end' | undefined {
  if (isMarker(line, '>')) return part === 'two' ? 'end' : undefined;
  if (isMarker(line, '|')) return part === 'one' ? 'ancestor' : undefined;
  if (isMarker(line, '=')) return part === 'two' ? undefined : 'two';
  return part;
}

/** Characters are bytes here, so that they order as git orders them. */
function ordered(one: string, two: string, hash: Hash | undefined): string {
  const [first, second] = one > two ? [two, one] : [one, two];
  hash?.update(`${first}\0${second}\0`, 'latin1');
  return `${'<'.repeat(markerSize)}\n${first}${'='.repeat(markerSize)}\n${second}${'>'.repeat(markerSize)}\n`;
}

/** Those that begin and end a conflict always have a label. */
function isMarker(line: string, character: '<' | '|' | '=' | '>'): boolean {
  if (!line.startsWith(character.repeat(markerSize))) return false;
  const next = line.charAt(markerSize);
  return character === '<' || character === '>' ? next === ' ' : /[ \t\n\r]/.test(next);
}

/** Each with its line feed. */
function* linesOf(text: string): Generator<string, undefined> {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    const next = end < 0 ? text.length : end + 1;
    yield text.slice(start, next);
    start = next;
  }
  return undefined;
}
