/** Conflicts are found at the lines where they are, in both files. */
import { expect, test } from 'vitest';
import type { ConflictRegion, PairOutcome } from '../../../src/git/merging.ts';
import { diverge, mergingOf, write } from './divergence.ts';

const numbered = (change: (line: number) => string | undefined) =>
  Array.from({ length: 60 }, (_, index) => change(index + 1) ?? `${index + 1}\n`).join('');

async function regions(base: string, ours: string, theirs: string): Promise<readonly ConflictRegion[] | undefined> {
  const { made, left, right } = diverge(write('f', base), write('f', ours), write('f', theirs));
  const { merging } = await mergingOf(made);
  const outcomes: PairOutcome[] = [];
  const options = { keep: false, regions: true };
  for await (const each of merging.mergeAll([{ ours: left, theirs: right }], options)) outcomes.push(each);
  const [outcome] = outcomes;
  return outcome?.kind === 'conflict' ? outcome.conflicts[0]?.regions : undefined;
}

test('lines of each side are counted in its own file, past what only one of them changed', async () => {
  const ours = numbered((line) => {
    if (line === 5) return 'five\nand\nmore\n';
    if (line === 20) return 'ours\n';
    return line === 40 ? '' : undefined;
  });
  const theirs = numbered((line) => {
    if (line === 10) return '';
    if (line === 20) return 'theirs\nof two lines\n';
    if (line === 30) return 'thirty\n';
    return line === 40 ? 'forty\n' : undefined;
  });
  expect(
    await regions(
      numbered(() => undefined),
      ours,
      theirs,
    ),
  ).toEqual([
    { ours: { from: 22, lines: 1 }, theirs: { from: 19, lines: 2 } },
    { ours: { from: 42, lines: 0 }, theirs: { from: 40, lines: 1 } },
  ]);
});

test('a file that has markers of its own, and one without a last newline', async () => {
  const own = '<<<<<<< not ours\nx\n=======\ny\n>>>>>>> not theirs\n';
  const base = `${own}${numbered(() => undefined)}end`;
  expect(await regions(base, base.replace('end', 'left'), base.replace('end', 'right\n'))).toEqual([
    { ours: { from: 66, lines: 1 }, theirs: { from: 66, lines: 1 } },
  ]);
});

test('files that have nothing in common, and a conflict in every second line', async () => {
  expect(await regions('start\n', 'a\nb\n', 'c\n')).toEqual([
    { ours: { from: 1, lines: 2 }, theirs: { from: 1, lines: 1 } },
  ]);
  const every = (mark: string) => numbered((line) => (line % 10 === 0 ? `${mark}\n` : undefined));
  const found = await regions(
    numbered(() => undefined),
    every('ours'),
    every('theirs'),
  );
  expect(found?.map(({ ours, theirs }) => [ours.from, ours.lines, theirs.from, theirs.lines])).toEqual(
    [10, 20, 30, 40, 50, 60].map((line) => [line, 1, line, 1]),
  );
});

test('there is none in a binary file', async () => {
  expect(await regions('\0a', '\0b', '\0c')).toBeUndefined();
});
