/** Links that are swapped in while the host reads: looking first and reading then is known to leak; our reader never does. */
import { spawn } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { errnoOf } from '../../src/platform/errno.ts';
import { readFileBelow } from '../../src/platform/read-below.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryDirectory } from '../support/repository.ts';

/** In another process, as fast as it can: a directory and a file, then links that lead outside in their place. */
async function startSwapping(tree: string): Promise<void> {
  const script = `
    const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
    const step = (body) => { try { body(); } catch (error) { if (!error.code) throw error; } };
    process.stdout.write('ready');
    for (;;) for (const [name, target] of [['swap', '../outside'], ['file', '../outside/file']]) {
      step(() => renameSync(name, name + '-kept'));
      step(() => symlinkSync(target, name));
      step(() => unlinkSync(name));
      step(() => renameSync(name + '-kept', name));
    }`;
  const child = spawn(process.execPath, ['-e', script], { cwd: tree, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
}

function naively(tree: string, path: string): string | undefined {
  try {
    if (!lstatSync(join(tree, path)).isFile() || !lstatSync(join(tree, path, '..')).isDirectory()) return undefined;
    return readFileSync(join(tree, path), 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

it('nothing outside is read, however a link is swapped in', async () => {
  const directory = temporaryDirectory();
  const [tree, outside] = [join(directory, 'tree'), join(directory, 'outside')];
  for (const each of [tree, outside, join(tree, 'swap')]) mkdirSync(each);
  for (const each of ['swap/file', 'file']) writeFileSync(join(tree, each), 'own');
  writeFileSync(join(outside, 'file'), 'topsecret');
  await startSwapping(tree);
  const seen = new Set<string | undefined>();
  for (let round = 0; round < 10_000; round += 1) {
    for (const path of ['swap/file', 'file']) seen.add(readFileBelow(tree, path)?.toString('utf8'));
  }
  expect([...seen].sort()).toEqual(['own', undefined]);
  const leaked = () => ['swap/file', 'file'].some((path) => naively(tree, path) === 'topsecret');
  await eventually(
    () => Array.from({ length: 500 }, leaked).includes(true),
    () => 'looking first and reading then did not leak',
    60_000,
  );
});
