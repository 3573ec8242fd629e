/** Tens of thousands of files at once, in several environments; and what is too much is held where everybody sees it. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectNothingLost, expectSaved, makeGround, startDaemon, watch } from './ground.ts';

/** Writes files `0` … in `directories` directories; as another process, so that nothing waits for it. */
const writing = `
  const { mkdirSync, writeFileSync } = require('node:fs');
  const [root, count] = process.argv.slice(1);
  for (let file = 0; file < Number(count); file++) {
    if (file % 100 === 0) mkdirSync(root + '/many/' + file / 100, { recursive: true });
    writeFileSync(root + '/many/' + Math.floor(file / 100) + '/' + file, 'file ' + file + '\\n');
  }`;

function write(root: string, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', writing, root, String(count)], { stdio: 'inherit' });
    child.on('close', (status) => (status === 0 ? resolve() : reject(new Error(`the writer ended with ${status}`))));
  });
}

/** In memory where that can be: what is asked here is not how fast a disk makes files. */
function stayOffTheDisk(): void {
  if (existsSync('/dev/shm')) vi.stubEnv('TMPDIR', '/dev/shm');
  onTestFinished(() => void vi.unstubAllEnvs());
}

it('five environments get 6,000 files each, all at once', async () => {
  stayOffTheDisk();
  const names = ['one', 'two', 'three', 'four', 'five'];
  const settings = { hold: { checkpointFiles: 1_000_000, checkpointBytes: 2 ** 40 } };
  const ground = await makeGround({ names, settings });
  startDaemon(ground);
  await Promise.all(names.map((name) => write(ground.tree(name), 6_000)));
  for (const name of names) await expectSaved(ground, name);
  for (const name of names) expectNothingLost(ground, name);
});

it('too many new files: the first 5,000 are saved, each of the others is reported as held until it is gone or ignored', async () => {
  stayOffTheDisk();
  const ground = await makeGround();
  const at = (path: string) => join(ground.tree('one'), path);
  mkdirSync(at('output'));
  for (let file = 0; file < 5_300; file++) writeFileSync(at(`output/${file}`), `${file}\n`);
  const watching = await watch(ground);
  const files = () => ground.repository.git('ls-tree', '-r', '--name-only', 'coppice/one', 'output/').split('\n');
  await eventually(
    () => watching.status('one').held === 300,
    () => JSON.stringify(watching.status('one')),
  );
  expect(files()).toHaveLength(5_000);
  const told = watching.events.findLast((event) => event.type === 'held');
  expect(told).toMatchObject({ type: 'held' });
  const held = told?.type === 'held' ? told.held : [];
  expect([...files(), ...held.map(({ path }) => path)].sort()).toEqual(
    Array.from({ length: 5_300 }, (_, file) => `output/${file}`).sort(),
  );
  expect(new Set(held.map(({ reason }) => reason))).toEqual(new Set(['too-much']));
  const shown = await ground.cli.json<{ held: { path: string }[] }>(['status', 'one']);
  expect(shown.held.map(({ path }) => path).sort()).toEqual(held.map(({ path }) => path).sort());
  // They hold up nothing else.
  writeFileSync(at('work.txt'), 'work\n');
  await eventually(() => ground.repository.git('ls-tree', '--name-only', 'coppice/one').includes('work.txt'));
  expect(watching.status('one').held).toBe(300);
  for (const { path } of held) rmSync(at(path));
  await expectSaved(ground, 'one');
  await eventually(() => watching.status('one').held === 0);
  expectNothingLost(ground, 'one');
});
