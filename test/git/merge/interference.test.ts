/** The user's own git gets in between, at the worst moments: a filter of theirs plays that part, while files are written. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { parseRefName } from '../../../src/domain/ref-name.ts';
import { eventually } from '../../support/eventually.ts';
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

/** `advance` in a process of its own that can be killed. */
function program(directory: string): string {
  const outfile = join(directory, 'advance.mjs');
  const contents = `
    import { createMerging } from './src/git/merge/merging.ts';
    import { openRepository } from './src/git/native/open.ts';
    import { surroundingsOf } from './src/platform/surroundings.ts';
    const [before, after] = process.argv.slice(2);
    const surroundings = surroundingsOf(process.cwd(), process.env);
    const repository = await openRepository(surroundings, process.cwd());
    await createMerging(surroundings, repository).advance('refs/heads/main', before, after, 'coppice: merge');
  `;
  const resolveDir = join(import.meta.dirname, '../../..');
  buildSync({ stdin: { contents, resolveDir, loader: 'ts' }, bundle: true, platform: 'node', format: 'esm', outfile });
  return outfile;
}

test('killed with its whole process group in the middle, the delivery still completes', async () => {
  const { made, tip, commitOn } = await makeFixture({ '.gitattributes': '*.slow filter=slow\n', f: 'f\n' });
  const before = tip('main');
  const after = commitOn(before, { 'a.slow': 'a\n', f: 'ours\n', z: 'z\n' });
  const [started, go] = [join(made.directory, 'started'), join(made.directory, 'go')];
  made.git(
    'config',
    'filter.slow.smudge',
    `touch ${started}; until [ -e ${go} ] || [ ! -d ${made.directory} ]; do sleep 0.02; done; cat`,
  );
  const script = program(made.directory);
  const child = spawn(process.execPath, [script, before, after], { cwd: made.path, env: made.env, detached: true });
  const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
  await eventually(() => existsSync(started));
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  expect(await ended).toBe('SIGKILL');
  expect(tip('main')).toBe(before);
  writeFileSync(go, '');
  await eventually(() => tip('main') === after);
  expect(made.git('status', '--porcelain')).toBe('');
});
