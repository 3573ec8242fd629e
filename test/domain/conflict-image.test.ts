/** Ids and images of conflicts are git's own: compared with what a real `git rerere` writes. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { conflictImage } from '../../src/domain/conflict-image.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

/** base, ours, theirs */
const files: Readonly<Record<string, readonly [string, string, string]>> = {
  'one line': ['1\n2\n3\n', '1\nours\n3\n', '1\ntheirs\n3\n'],
  'sides the other way round': ['1\n2\n3\n', '1\ntheirs\n3\n', '1\nours\n3\n'],
  'two conflicts': ['a\n2\n3\n4\n5\n6\n7\n8\nb\n', 'x\n2\n3\n4\n5\n6\n7\n8\ny\n', 'v\n2\n3\n4\n5\n6\n7\n8\nw\n'],
  'a common beginning': ['1\n2\n3\n', '1\nsame\nmine\n3\n', '1\nsame\nyours\n3\n'],
  'an empty side': ['1\n2\n3\n', '1\n3\n', '1\nchanged\n3\n'],
  'no line feed at the end': ['1\n2', '1\nleft', '1\nright'],
  'carriage returns': ['1\r\n2\r\n', '1\r\nours\r\n', '1\r\ntheirs\r\n'],
  'bytes that are no text in UTF-8': ['1\n2\n', '1\n\xe9\n', '1\n\xff\n'],
  'one side begins like the other': ['1\n2\n', '1\nab\n', '1\nabc\n'],
  'conflict markers of its own': [
    '1\n2\n<<<<<<< inner\na\n=======\nb\n>>>>>>> inner\n3\n',
    '1\nours\n<<<<<<< inner\nA\n=======\nb\n>>>>>>> inner\n3\n',
    '1\ntheirs\n<<<<<<< inner\na\n=======\nB\n>>>>>>> inner\n3\n',
  ],
  'a rule of equals signs': ['1\n2\n', '1\nours\n========\n', '1\ntheirs\n========\n'],
};

/** A merge that conflicts in every one of them, as git leaves it. */
function conflicted(format: 'sha1' | 'sha256', style: string) {
  const version = (index: 0 | 1 | 2) =>
    Object.fromEntries(Object.entries(files).map(([name, texts]) => [name, Buffer.from(texts[index], 'latin1')]));
  const made = makeRepository({ files: version(0), objectFormat: format });
  made.git('config', 'rerere.enabled', 'true');
  made.git('config', 'merge.conflictStyle', style);
  made.git('checkout', '-q', '-b', 'theirs');
  made.commit('theirs', version(2));
  made.git('checkout', '-q', 'main');
  made.commit('ours', version(1));
  expect(() => made.git('merge', '-q', 'theirs')).toThrow();
  return made;
}

/** What git has recorded: the directories of its rr-cache, and what is in them. */
function recorded(made: TestRepository) {
  const cache = join(made.path, '.git/rr-cache');
  mkdirSync(cache, { recursive: true });
  return readdirSync(cache)
    .filter((id) => readdirSync(join(cache, id)).includes('preimage'))
    .map((id) => ({ id, image: readFileSync(join(cache, id, 'preimage'), 'latin1') }));
}

describe.each(['sha1', 'sha256'] as const)('in a repository of %s objects', (format) => {
  it.each(['merge', 'diff3', 'zdiff3'])('conflicts in the style %s are called what git calls them', (style) => {
    const made = conflicted(format, style);
    const images = Object.keys(files).flatMap((name) => {
      const found = conflictImage(readFileSync(join(made.path, name)), format);
      return found === undefined ? [] : [{ id: found.id, image: found.image.toString('latin1') }];
    });
    const byId = new Map(images.map((image) => [image.id, image]));
    expect([...byId.values()].sort(order)).toEqual(recorded(made).sort(order));
    expect(byId.size).toBeGreaterThan(6);
  });
});

const order = (left: { readonly id: string }, right: { readonly id: string }) => (left.id < right.id ? -1 : 1);

describe('what is no conflict', () => {
  it.each([
    ['nothing of the kind', 'plain\n'],
    ['a beginning without an end', '<<<<<<< a\nx\n=======\ny\n'],
    ['an end first', '>>>>>>> a\n=======\n<<<<<<< b\n'],
    ['a divider too many', '<<<<<<< a\nx\n=======\ny\n=======\nz\n>>>>>>> b\n'],
    ['no text', '\0\n<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n'],
  ])('%s', (_, content) => {
    expect(conflictImage(Buffer.from(content, 'latin1'), 'sha1')).toBeUndefined();
  });

  it('is the same from either side', () => {
    const from = (one: string, two: string) =>
      conflictImage(Buffer.from(`<<<<<<< a\n${one}\n=======\n${two}\n>>>>>>> b\n`), 'sha1');
    expect(from('x', 'y')).toEqual(from('y', 'x'));
    expect(from('x', 'y')?.id).not.toBe(from('x', 'z')?.id);
  });
});
