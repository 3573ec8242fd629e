/** How many lines a change adds and removes, where that is cheap to say. */
import { diffLines } from 'diff';
import type { Change } from '../../domain/change.ts';

/** Larger files are not compared. */
export const largestCompared = 256 * 2 ** 10;
/** Nor are the files of a larger checkpoint. */
export const mostCompared = 20;
/** Milliseconds for one file: files that have nothing in common take long and the numbers say little then. */
const patience = 20;

/** undefined for binary content and for what takes too long. */
export function countLines(before: Buffer | undefined, after: Buffer | undefined): Change['lines'] {
  if ([before, after].some((side) => side !== undefined && (side.length > largestCompared || isBinary(side)))) {
    return undefined;
  }
  if (before === undefined || before.length === 0) return { added: lineCount(after), removed: 0 };
  if (after === undefined || after.length === 0) return { added: 0, removed: lineCount(before) };
  const hunks = diffLines(before.toString('latin1'), after.toString('latin1'), { timeout: patience });
  if (hunks === undefined) return undefined;
  const sum = (kind: 'added' | 'removed') => hunks.reduce((total, hunk) => total + (hunk[kind] ? hunk.count : 0), 0);
  return { added: sum('added'), removed: sum('removed') };
}

function lineCount(content: Buffer | undefined): number {
  if (content === undefined || content.length === 0) return 0;
  let lines = content.at(-1) === 0x0a ? 0 : 1;
  for (let at = content.indexOf(0x0a); at >= 0; at = content.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}

/** Git looks at as many bytes. */
function isBinary(content: Buffer): boolean {
  return content.subarray(0, 8000).includes(0);
}
