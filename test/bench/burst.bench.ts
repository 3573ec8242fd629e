/** A burst of new files in each of several environments: when it is saved, beside git add -A and commit of the same files. */
import { spawn } from 'node:child_process';
import { it } from 'vitest';
import { type Ground, makeGround, startDaemon } from '../faults/ground.ts';
import { makeRepository } from '../support/repository.ts';
import { quietToSaved } from './saved.ts';
import { printRows } from './table.ts';

const files = Number(process.env.COPPICE_BENCH_BURST ?? '50000');
const names = ['one', 'two', 'three', 'four', 'five'];

/** Writes files `0` … in directories of a hundred; as another process, so that nothing waits for it. */
const writing = `
  const { mkdirSync, writeFileSync } = require('node:fs');
  const [root, count] = process.argv.slice(1);
  for (let file = 0; file < Number(count); file++) {
    if (file % 100 === 0) mkdirSync(root + '/many/' + file / 100, { recursive: true });
    writeFileSync(root + '/many/' + Math.floor(file / 100) + '/' + file, 'file ' + file + '\\n');
  }`;

function write(root: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', writing, root, `${files}`], { stdio: 'inherit' });
    child.on('close', (status) => (status === 0 ? resolve() : reject(new Error(`the writer ended with ${status}`))));
  });
}

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(1);

it(`${files} files at once in each of ${names.length} environments`, async () => {
  const ground = await makeGround({
    names,
    settings: { hold: { checkpointFiles: 10_000_000, checkpointBytes: 2 ** 40 } },
  });
  startDaemon(ground);
  await quietToSaved(ground, 'one');
  const begun = performance.now();
  await Promise.all(names.map((name) => write(ground.tree(name))));
  const quiet = performance.now();
  const saved = await Promise.all(names.map((name) => lastMove(ground, name)));
  const after = Math.max(...saved) - quiet;
  const plain = await beside();
  printRows(
    `${names.length} × ${files} files`,
    ['', 'seconds'],
    [
      ['written, all environments at once', seconds(quiet - begun)],
      ['coppice: all of them on their branches after the last was written', seconds(after)],
      [`git add -A && git commit, ${names.length} at once`, seconds(plain)],
    ],
  );
});

/** Milliseconds after which a branch will never have them. That it has them rightly the fault tests see to. */
const hangs = 240_000;

/** When the branch had all of them. */
async function lastMove({ repository }: Ground, name: string): Promise<number> {
  const begun = performance.now();
  const count = () => Number(repository.git('ls-tree', '-r', '--name-only', `coppice/${name}`).split('\n').length);
  for (let moved = performance.now(); ; moved = performance.now()) {
    if (count() > files) return moved;
    if (moved - begun > hangs) throw new Error(`${name} has ${count()} files after ${hangs / 1000} s`);
    await new Promise((next) => setTimeout(next, 250));
  }
}

/** The same files, saved by git in as many repositories, all at once. */
async function beside(): Promise<number> {
  const repositories = names.map(() => makeRepository());
  await Promise.all(repositories.map(({ path }) => write(path)));
  const begun = performance.now();
  await Promise.all(
    repositories.map(
      ({ path, env }) =>
        new Promise((resolve) => {
          // Without the housekeeping that a commit leaves running behind it.
          const child = spawn('sh', ['-c', 'git add -A && git -c gc.auto=0 commit -qm burst'], {
            cwd: path,
            env,
            stdio: 'ignore',
          });
          child.on('close', resolve);
        }),
    ),
  );
  return performance.now() - begun;
}
