/** The numbers in a checkpoint's subject, against git's own. */
import { expect, test } from 'vitest';
import { countLines } from '../../../src/git/checkpoint/line-counts.ts';

const count = (before: string | undefined, after: string | undefined) =>
  countLines(
    before === undefined ? undefined : Buffer.from(before),
    after === undefined ? undefined : Buffer.from(after),
  );
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join('');

test.each([
  [undefined, 'a\nb\n', 2, 0],
  [undefined, 'a\nb', 2, 0],
  ['a\nb\n', undefined, 0, 2],
  ['', 'a\n', 1, 0],
  ['a\n', '', 0, 1],
  ['a\nb\nc\n', 'a\nx\nc\n', 1, 1],
  ['a\nb\nc\n', 'a\nb\nnew\nc\n', 1, 0],
  ['a\na\na\n', 'a\na\n', 0, 1],
  ['a\n1\nb\n2\nc\n', 'a\n3\nb\n4\nc\n', 2, 2],
  ['a', 'a\n', 1, 1],
  ['a\r\n', 'a\n', 1, 1],
  [numbered(0, 3000), numbered(1000, 4000), 1000, 1000],
  [numbered(0, 3000), numbered(3000, 9000), 6000, 3000],
])('case %#', (before, after, added, removed) => {
  expect(count(before, after)).toEqual({ added, removed });
});

test('binary content has no lines', () => {
  expect(count('a\n', 'a\0\n')).toBeUndefined();
});
