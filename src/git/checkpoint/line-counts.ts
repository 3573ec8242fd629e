/** How many lines a change adds and removes, where that is cheap to say. */
import { diffLines } from 'diff';
import type { Change } from '../../domain/change.ts';

/** Larger files are not compared. */
export const largestCompared = 256 * 2 ** 10;
/** Nor are the files of a larger checkpoint. */
export const mostCompared = 20;
/** Edits (added and removed lines) up to which the comparison is exact; its cost grows with their square. */
const mostEdits = 60;

/** undefined for binary content. Large rewrites are counted by lines that only one side has, wherever they stand. */
export function countLines(before: Buffer | undefined, after: Buffer | undefined): Change['lines'] {
  if ([before, after].some((side) => side !== undefined && (side.length > largestCompared || isBinary(side)))) {
    return undefined;
  }
  const { old, young } = differingMiddle(linesOf(before), linesOf(after));
  if (old.length === 0 || young.length === 0) return { added: young.length, removed: old.length };
  const least = { added: onlyIn(young, old), removed: onlyIn(old, young) };
  if (least.added + least.removed > mostEdits) return least;
  const hunks = diffLines(old.join(''), young.join(''), { maxEditLength: mostEdits });
  if (hunks === undefined) return least;
  const sum = (kind: 'added' | 'removed') => hunks.reduce((total, hunk) => total + (hunk[kind] ? hunk.count : 0), 0);
  return { added: sum('added'), removed: sum('removed') };
}

/** With their line ends; the last may have none. */
function linesOf(content: Buffer | undefined): readonly string[] {
  return content?.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** What is left when the lines that both begin and end with are taken off. */
function differingMiddle(old: readonly string[], young: readonly string[]) {
  const shorter = Math.min(old.length, young.length);
  let start = 0;
  while (start < shorter && old[start] === young[start]) start += 1;
  let end = 0;
  while (end < shorter - start && old[old.length - 1 - end] === young[young.length - 1 - end]) end += 1;
  return { old: old.slice(start, old.length - end), young: young.slice(start, young.length - end) };
}

function onlyIn(lines: readonly string[], others: readonly string[]): number {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  let count = 0;
  for (const line of lines) {
    const remaining = left.get(line) ?? 0;
    if (remaining === 0) count += 1;
    else left.set(line, remaining - 1);
  }
  return count;
}

/** Git looks at as many bytes. */
function isBinary(content: Buffer): boolean {
  return content.subarray(0, 8000).includes(0);
}
