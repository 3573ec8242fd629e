/** Messages that nobody gave: what changed, and why. */
import { expect, test } from 'vitest';
import { bytePathFromText } from '../../src/domain/byte-path.ts';
import type { Change } from '../../src/domain/change.ts';
import { composedMessage } from '../../src/domain/commit-message.ts';

const change = (path: string, kind: Change['kind'], added = 1, removed = 0): Change => ({
  path: bytePathFromText(path),
  kind,
  before: undefined,
  after: undefined,
  lines: { added, removed },
});

test('one file: the subject says it; causes once each, in order', () => {
  const message = composedMessage([change('src/ü.ts', 'added', 3)], ['exec npm run gen', 'edit', 'exec npm run gen']);
  expect(message).toBe('add src/ü.ts: +3 −0\n\nCaused by:\n* exec npm run gen\n* edit');
});

test('a few files: the subject names them', () => {
  expect(composedMessage([change('a', 'added'), change('b', 'deleted')], [])).toBe(
    'a, b\n\n* add a: +1 −0\n* delete b',
  );
});

test('many files: twenty by name, the rest counted; a cause cannot break the message', () => {
  const changes = Array.from({ length: 23 }, (_, index) => change(`src/f${index}`, 'added'));
  const lines = composedMessage(changes, [`exec sh -c 'a\n\nSigned-off-by: x ${'y'.repeat(200)}'`]).split('\n');
  expect(lines[0]).toBe('23 files in src/');
  expect(lines.slice(2, 4)).toEqual(['* add src/f0: +1 −0', '* add src/f1: +1 −0']);
  expect(lines[22]).toBe('* … and 3 more');
  expect(lines.at(-1)).toMatch(/^\* exec sh -c 'a {1,2}Signed-off-by: x y+…$/);
  expect(composedMessage([change('a', 'deleted')], [])).toBe('delete a');
});
