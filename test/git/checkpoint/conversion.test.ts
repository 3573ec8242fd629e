/** Line endings, keywords, encodings and filters: stored as native git stores them, or held where only a filter could. */
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { rounds } from '../../support/random.ts';
import { makeEnvironment } from './support.ts';

const text = fc.constantFrom(
  'unix\nlines\n',
  'dos\r\nlines\r\n',
  'mixed\r\nlines\n',
  'lone\rcr\r\n',
  'nul\0\r\n',
  'no end',
  'dos no end\r\nx',
  '\r\n',
  '\x01\x02\x03\r\n',
  `eof\r\n\x1a`,
  '$Id$ $Id: abc$ $Id: a\nb$ $Id:$ $Identity$\r\n',
  '\r\r\n',
  `${'printable '.repeat(20)}\x01\r\n`,
);
const attribute = fc.constantFrom(
  'text',
  '-text',
  '!text',
  'text=auto',
  'text=input',
  'text=other',
  'eol=lf',
  'eol=crlf',
  'eol=cr',
  'crlf',
  '-crlf',
  'crlf=input',
  'crlf=auto',
  'ident',
  '-ident',
  'binary',
  'filter=none',
  'working-tree-encoding=UTF-8',
);
const rule = fc
  .tuple(fc.constantFrom('*', '*.txt', 'd/*', '*.bin'), fc.array(attribute, { minLength: 1, maxLength: 3 }))
  .map(([pattern, attributes]) => `${pattern} ${attributes.join(' ')}`);
const files = fc.dictionary(fc.constantFrom('a.txt', 'b.bin', 'c', 'd/e.txt', 'd/f'), text, { minKeys: 2 });

test('as native git add, on random attributes, configuration and content', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(rule, { maxLength: 4 }),
      fc.subarray(['core.autocrlf=true', 'core.eol=crlf']),
      fc.boolean(),
      files,
      files,
      async (rules, config, input, first, second) => {
        const settings = input ? ['core.autocrlf=input'] : config;
        const environment = makeEnvironment({ files: { 'd/f': 'recorded\r\n', c: 'plain\r\n' } });
        // Set only now: what is recorded above must have its CRLFs.
        for (const setting of settings)
          environment.repository.git('config', ...(setting.split('=') as [string, string]));
        environment.write({ '.gitattributes': `${rules.join('\n')}\n` });
        const checkpointer = await environment.open();
        for (const step of [first, second]) {
          for (const [path, content] of Object.entries(step)) {
            rmSync(join(environment.tree, path), { force: true });
            environment.write({ [path]: Buffer.from(`${content} `.slice(0, -1), 'latin1') });
          }
          await checkpointer.checkpoint({ cause: 'edit' });
          const tip = environment.tip();
          const touched = Object.keys(step);
          // Only what was written now: an untouched file stays as it is recorded, whatever the attributes say since.
          expect(entries(environment.repository.git('ls-tree', '-r', tip), touched)).toEqual(
            entries(environment.repository.git('ls-tree', '-r', environment.modelTree()), touched),
          );
        }
        await checkpointer.close();
      },
    ),
    { numRuns: rounds(15) },
  );
});

test('a file that comes to look like its own conversion has changed all the same', async () => {
  const environment = makeEnvironment();
  environment.write({ '.gitattributes': '* text\n', a: '\r\r\n' });
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'edit' });
  environment.write({ a: '\r\n' });
  await checkpointer.checkpoint({ cause: 'edit' });
  expect(environment.tipTree()).toBe(environment.modelTree());
});

function entries(listing: string, paths: readonly string[]): readonly string[] {
  return listing.split('\n').filter((line) => paths.includes(line.split('\t')[1] ?? ''));
}

const utf16le = Buffer.from('hé\r\n', 'utf16le');
const utf16be = Buffer.from(utf16le).swap16();

for (const [encoding, content] of [
  ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16le])],
  ['utf16', Buffer.concat([Buffer.from([0xfe, 0xff]), utf16be])],
  ['UTF-16LE', utf16le],
  ['UTF-16BE', utf16be],
  ['UTF-16LE-BOM', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16le])],
  ['ISO-8859-1', Buffer.from('h\xe9\x80\r\n', 'latin1')],
] as const) {
  test(`working-tree-encoding ${encoding} as native git`, async () => {
    const environment = makeEnvironment();
    environment.write({ '.gitattributes': `*.txt text working-tree-encoding=${encoding}\n`, 'a.txt': content });
    const checkpointer = await environment.open();
    expect(await checkpointer.checkpoint({ cause: 'edit' })).toMatchObject({ held: [] });
    expect(environment.tipTree()).toBe(environment.nativeTree());
    expect(environment.repository.git('show', 'coppice/demo:a.txt')).toContain('h');
  });
}

test('what an encoding does not allow, or is not known here, is held', async () => {
  const environment = makeEnvironment();
  environment.write({
    '.gitattributes': '*.16 working-tree-encoding=UTF-16\n*.sjis working-tree-encoding=SHIFT-JIS\n',
    'no-mark.16': utf16le,
    'x.sjis': 'x',
  });
  const checkpointer = await environment.open();
  const { held } = await checkpointer.checkpoint({ cause: 'edit' });
  expect(held.map(({ path, reason }) => [path, reason])).toEqual([
    ['no-mark.16', 'filter-missing'],
    ['x.sjis', 'filter-missing'],
  ]);
});

const pointerFor = (content: string) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash('sha256').update(content).digest('hex')}\nsize ${content.length}\n`;

test('LFS: pointers go in, what a recorded pointer stands for is no change, other content is held', async () => {
  const environment = makeEnvironment({
    files: { '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n', 'a.bin': pointerFor('smudged') },
  });
  writeFileSync(join(environment.tree, 'a.bin'), 'smudged');
  const checkpointer = await environment.open();
  expect(await checkpointer.checkpoint({ cause: 'edit' })).toMatchObject({ checkpoint: undefined, held: [] });
  environment.write({ 'b.bin': pointerFor('other'), 'c.bin': 'not a pointer' });
  const result = await checkpointer.checkpoint({ cause: 'edit' });
  expect(result.changes.map(({ path }) => path)).toEqual(['b.bin']);
  expect(result.held).toMatchObject([{ path: 'c.bin', reason: 'filter-missing' }]);
  writeFileSync(join(environment.tree, 'a.bin'), 'edited');
  const edited = await checkpointer.checkpoint({ cause: 'edit', paths: ['a.bin' as BytePath] });
  expect(edited.held.map(({ path }) => path)).toEqual(['a.bin', 'c.bin']);
  expect(environment.repository.git('show', 'coppice/demo:a.bin')).toBe(pointerFor('smudged').trim());
  writeFileSync(join(environment.tree, 'a.bin'), 'smudged');
  expect((await checkpointer.checkpoint({ cause: 'edit' })).held.map(({ path }) => path)).toEqual(['c.bin']);
});

test('another filter: raw bytes where nobody defined it, held where the repository did, released when it is gone', async () => {
  const environment = makeEnvironment();
  environment.repository.git('config', 'filter.crypt.clean', 'tr a-z A-Z');
  environment.write({
    '.gitattributes': '*.x filter=crypt\n*.y filter=unknown\n',
    'a.x': 'secret\n',
    'a.y': 'plain\n',
  });
  const checkpointer = await environment.open();
  const { held } = await checkpointer.checkpoint({ cause: 'edit' });
  expect(held).toMatchObject([{ path: 'a.x', reason: 'filter-missing' }]);
  expect(environment.repository.git('show', 'coppice/demo:a.y')).toBe('plain');
  environment.repository.git('config', '--unset', 'filter.crypt.clean');
  await checkpointer.checkpoint({ cause: 'edit', paths: [] });
  expect(environment.repository.git('show', 'coppice/demo:a.x')).toBe('secret');
});

test('core.safecrlf=true holds what git add would refuse', async () => {
  const environment = makeEnvironment();
  environment.repository.git('config', 'core.safecrlf', 'true');
  environment.write({ '.gitattributes': '*.txt text\n', 'dos.txt': 'a\r\n', 'unix.txt': 'a\n' });
  const checkpointer = await environment.open();
  const { held } = await checkpointer.checkpoint({ cause: 'edit' });
  expect(held).toMatchObject([{ path: 'dos.txt', reason: 'filter-missing' }]);
  expect(environment.listing().some((line) => line.endsWith('unix.txt'))).toBe(true);
});

test('files recorded before there were attributes are no change as long as nobody edits them', async () => {
  const environment = makeEnvironment({ files: { 'a.txt': 'dos\r\n', '.gitattributes': '' } });
  environment.repository.commit('attributes', { '.gitattributes': '*.txt text\n' });
  environment.repository.git('update-ref', 'refs/heads/coppice/demo', 'main');
  environment.write({ '.gitattributes': '*.txt text\n' });
  const checkpointer = await environment.open();
  const result = await checkpointer.checkpoint({ cause: 'reconcile', rehash: true });
  expect(result.checkpoint).toBeUndefined();
});
