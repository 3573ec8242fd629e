/** Differences are git's own, whatever the user's configuration and an agent's attributes would make of them. */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { textOf } from '../../../src/domain/byte-path.ts';
import { parseOid } from '../../../src/domain/oid.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository } from '../../support/repository.ts';

const lines = (...last: readonly string[]) => `${[...'abcdefgh', ...last].join('\n')}\n`;

async function changed() {
  const made = makeRepository({
    files: {
      f: lines(),
      'old name': lines('rename'),
      gone: 'gone\n',
      kind: 'file\n',
      bytes: Buffer.from([0, 1]),
      'x.evil': 'x\n',
    },
  });
  const before = parseOid(made.git('rev-parse', 'HEAD'));
  made.git('mv', 'old name', 'new\tname');
  made.git('rm', '-q', 'gone', 'kind');
  const after = parseOid(
    made.commit('changes', {
      f: lines('added'),
      kind: { link: 'f' },
      bytes: Buffer.from([0, 2]),
      naïve: 'new\n',
      'x.evil': 'y\n',
      '.gitattributes': '*.evil diff=evil filter=evil\nf -diff\n',
    }),
  );
  const repository = await openRepository(surroundingsOf(made.path, made.env), made.path);
  return { made, repository, before, after };
}

test('per file: kinds, renames, binary files, any name', async () => {
  const { repository, before, after } = await changed();
  const stats = (await repository.diffStat(before, after)).map((file) => ({ ...file, path: textOf(file.path) }));
  expect(stats).toEqual([
    { path: '.gitattributes', from: undefined, kind: 'added', added: 2, removed: 0 },
    { path: 'bytes', from: undefined, kind: 'modified', added: null, removed: null },
    { path: 'f', from: undefined, kind: 'modified', added: 1, removed: 0 },
    { path: 'gone', from: undefined, kind: 'deleted', added: 0, removed: 1 },
    { path: 'kind', from: undefined, kind: 'type-changed', added: 1, removed: 1 },
    { path: 'naïve', from: undefined, kind: 'added', added: 1, removed: 0 },
    { path: 'new\tname', from: 'old name', kind: 'renamed', added: 0, removed: 0 },
    { path: 'x.evil', from: undefined, kind: 'modified', added: 1, removed: 1 },
  ]);
  expect(await repository.diffStat(after, after)).toEqual([]);
});

test("no driver runs, and no configuration of the user's shows", async () => {
  const { made, repository, before, after } = await changed();
  const request = { before, after, format: 'patch' } as const;
  const plain = (await repository.diff(request)).toString();
  expect(plain).toContain('diff --git a/f b/f\n');
  expect(plain).toContain('+added\n');
  expect(plain).toContain('rename to "new\\tname"');
  const canary = join(made.directory, 'canary');
  for (const [key, value] of [
    ['diff.evil.textconv', `touch ${canary}; cat`],
    ['diff.evil.command', `touch ${canary}`],
    ['diff.external', `touch ${canary}`],
    ['diff.noprefix', 'true'],
    ['diff.mnemonicPrefix', 'true'],
    ['diff.context', '0'],
    ['diff.renames', 'false'],
    ['diff.algorithm', 'patience'],
    ['diff.suppressBlankEmpty', 'true'],
    ['diff.submodule', 'log'],
    ['diff.orderFile', '/nonexistent'],
    ['color.ui', 'always'],
    ['color.diff', 'always'],
    ['core.quotePath', 'true'],
    ['core.pager', `touch ${canary}`],
  ] as const) {
    made.git('config', key, value);
  }
  writeFileSync(join(made.path, '.git/index'), 'not an index');
  expect((await repository.diff(request)).toString()).toBe(plain);
  expect(existsSync(canary)).toBe(false);
});

test('formats, paths as they are written, colour only when asked', async () => {
  const { repository, before, after } = await changed();
  const ask = async (rest: object) =>
    (await repository.diff({ before, after, format: 'name-status', ...rest })).toString();
  expect(await ask({ paths: ['f', '*'] })).toBe('M\tf\n');
  expect(await ask({ paths: ['gone'] })).toBe('D\tgone\n');
  expect(await ask({ format: 'stat', paths: ['f'] })).toContain('1 file changed, 1 insertion(+)');
  expect(await ask({ format: 'patch', paths: ['f'] })).not.toContain('\x1b[');
  expect(await ask({ format: 'patch', paths: ['f'], colour: true })).toContain('\x1b[32m+');
});

test('a submodule that moved is part of a difference', async () => {
  const { made, repository, after } = await changed();
  const point = (digit: string) => {
    made.git('update-index', '--add', '--cacheinfo', `160000,${digit.repeat(40)},sub`);
    made.git('commit', '-q', '-m', 'submodule');
    return parseOid(made.git('rev-parse', 'HEAD'));
  };
  const [one, two] = [point('1'), point('2')];
  expect(await repository.diffStat(after, one)).toMatchObject([{ path: 'sub', kind: 'added' }]);
  expect(await repository.diffStat(one, two)).toMatchObject([{ path: 'sub', kind: 'modified', added: 1, removed: 1 }]);
});
