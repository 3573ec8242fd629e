/** Choosing hunks of a change: any subset applies, split or not, and what does not fit is told from what does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytePathFromText } from '../../src/domain/byte-path.ts';
import { applyHunks, hunksOf, parsePatchFile, splitHunk } from '../../src/operations/hunks.ts';

const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);
const text = (list: readonly string[]) => list.map((line) => `${line}\n`).join('');

describe('hunks', () => {
  const before = text(lines(1, 40));
  const after = text(lines(1, 40).map((line) => (['5', '8', '30'].includes(line) ? `new ${line}` : line)));

  it('applies one of several, wherever it stands', () => {
    const [first, second, ...more] = hunksOf(before, after);
    expect(more).toEqual([]);
    if (first === undefined || second === undefined) throw new Error('two hunks were expected');
    expect(applyHunks(before, [second])).toBe(before.replace('\n30\n', '\nnew 30\n'));
    expect(applyHunks(before, [first])).toBe(before.replace('\n5\n', '\nnew 5\n').replace('\n8\n', '\nnew 8\n'));
  });

  it('splits at unchanged lines, and each part applies alone', () => {
    const [first] = hunksOf(before, after);
    if (first === undefined) throw new Error('a hunk was expected');
    const parts = splitHunk(first);
    expect(parts).toHaveLength(2);
    expect(applyHunks(before, parts.slice(0, 1))).toBe(before.replace('\n5\n', '\nnew 5\n'));
    expect(applyHunks(before, parts.slice(1))).toBe(before.replace('\n8\n', '\nnew 8\n'));
    expect(parts.flatMap(splitHunk)).toEqual(parts);
  });

  it('does not apply to another text', () => {
    expect(applyHunks(text(lines(50, 90)), hunksOf(before, after))).toBeUndefined();
  });

  it('keeps bytes that are no UTF-8, carriage returns, and files without a last line end', () => {
    const one = '\xe9\r\nb\nlast';
    const other = '\xe8\r\nb\nlast\n';
    expect(applyHunks(one, hunksOf(one, other))).toBe(other);
    expect(applyHunks(other, hunksOf(other, one))).toBe(one);
  });

  it('all hunks make the new text, split or not, for any two texts', () => {
    const some = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 });
    const file = fc.tuple(some, fc.constantFrom('', 'end')).map(([list, end]) => text(list) + end);
    fc.assert(
      fc.property(file, file, (one, other) => {
        const hunks = hunksOf(one, other);
        expect(applyHunks(one, hunks)).toBe(other);
        expect(applyHunks(one, hunks.flatMap(splitHunk))).toBe(other);
      }),
    );
  });
});

describe('patch files', () => {
  it('names files however they are quoted, new, deleted, renamed or binary', () => {
    const patch = [
      'diff --git "a/caf\\303\\251.txt" "b/caf\\303\\251.txt"',
      'index 1..2 100644',
      '--- "a/caf\\303\\251.txt"',
      '+++ "b/caf\\303\\251.txt"',
      '@@ -1 +1 @@',
      '-a',
      '+b',
      'diff --git a/new b/new',
      'new file mode 100644',
      '--- /dev/null',
      '+++ b/new',
      '@@ -0,0 +1 @@',
      '+n',
      'diff --git a/gone b/gone',
      'deleted file mode 100644',
      '--- a/gone',
      '+++ /dev/null',
      '@@ -1 +0,0 @@',
      '-g',
      'diff --git a/x b/y',
      'similarity index 100%',
      'rename from x',
      'rename to y',
      'diff --git a/pic b/pic',
      'index 1..2 100644',
      'Binary files a/pic and b/pic differ',
      '',
    ].join('\n');
    const files = parsePatchFile(patch);
    const path = bytePathFromText;
    expect(files[0]?.to).toContain(path('café.txt'));
    expect(files.slice(1).map(({ from, to }) => [from, to])).toEqual([
      [[], [path('new')]],
      [[path('gone')], []],
      [[path('x')], [path('y')]],
      [[path('pic')], [path('pic')]],
    ]);
    expect(files.map(({ hunks }) => hunks.length)).toEqual([1, 1, 1, 0, 0]);
  });

  it('says what is no patch', () => {
    expect(() => parsePatchFile('--- a/x\n+++ b/x\n@@ -1,5 +1 @@\n-a\n')).toThrow(SyntaxError);
    expect(parsePatchFile('hello\n')).toEqual([]);
  });
});
