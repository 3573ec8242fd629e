/** The user's own git gets in between, at the worst moments: a filter of theirs plays that part, while files are written. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseRefName } from '../../../src/domain/ref-name.ts';
import { makeFixture } from './checkout-fixture.ts';

const main = parseRefName('refs/heads/main');

test('a branch moved while its files were being delivered takes the files along', async () => {
  const { made, merging, tip, commitOn } = await makeFixture({ '.gitattributes': '*.slow filter=slow\n', f: 'f\n' });
  const before = tip('main');
  const after = commitOn(before, { 'a.slow': 'a\n', f: 'ours\n' });
  const rival = commitOn(before, { f: 'rival\n' });
  const move = `git -C '${made.path}' update-ref refs/heads/main ${rival}`;
  made.git('config', 'filter.slow.smudge', `${move}; cat`);
  made.write({ untracked: 'mine\n' });
  await expect(merging.advance(main, before, after, 'x')).rejects.toMatchObject({ code: 'ref-moved' });
  expect(tip('main')).toBe(rival);
  expect(readFileSync(join(made.path, 'f'), 'utf8')).toBe('rival\n');
  expect(made.git('status', '--porcelain')).toBe('?? untracked');
});

test('a file edited while the result was being prepared is read again', async () => {
  const { made, merging, tip, commitOn } = await makeFixture({
    '.gitattributes': '*.slow filter=slow\n',
    f: 'one\ntwo\nthree\nfour\n',
  });
  const edited = 'MINE\ntwo\nthree\nfour\n';
  const theirs = commitOn(tip('main'), { 'a.slow': 'a\n', f: 'one\ntwo\nthree\nFOUR\n' });
  made.git(
    'config',
    'filter.slow.smudge',
    `printf '${edited.replaceAll('\n', '\\n')}' > '${made.path}/f.tmp'; [ -e '${made.directory}/done' ] || mv '${made.path}/f.tmp' '${made.path}/f'; : > '${made.directory}/done'; rm -f '${made.path}/f.tmp'; cat`,
  );
  await merging.applyToCheckout(tip('main'), theirs);
  expect(readFileSync(join(made.path, 'f'), 'utf8')).toBe('MINE\ntwo\nthree\nFOUR\n');
});
