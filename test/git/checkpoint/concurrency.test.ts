/** Several checkpointers on one environment, other writers of the branch, crashes: nothing acknowledged is ever lost. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { hangs } from '../../support/eventually.ts';
import { makeEnvironment, type TestEnvironment } from './support.ts';

async function bundle(environment: TestEnvironment): Promise<string> {
  const outfile = join(environment.repository.directory, 'racing-process.mjs');
  const entry = join(import.meta.dirname, 'racing-process.ts');
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    banner,
  });
  return outfile;
}

/** `killAfter`: killed from here, wherever it is by then, once it has reported so many checkpoints. */
function race(environment: TestEnvironment, program: string, label: string, rounds: number, killAfter?: number) {
  const { request, host, repository } = environment;
  const task = JSON.stringify({ request, commonDirectory: host.commonDirectory, label, rounds });
  return new Promise<readonly string[]>((resolve, reject) => {
    const child = spawn(process.execPath, [program, task], {
      env: repository.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (killAfter !== undefined && output.split('\n').length > killAfter) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status !== 0 && killAfter === undefined) reject(new Error(`ended with ${status}`));
      else resolve(output.split('\n').filter((line) => line.length === 40));
    });
  });
}

const ancestors = (environment: TestEnvironment) =>
  new Set(environment.repository.git('rev-list', 'coppice/demo').split('\n'));

test('three processes race; every checkpoint is reachable and the tip equals the tree', async () => {
  const environment = makeEnvironment({ files: { shared: '0' } });
  mkdirSync(join(environment.tree, 'dir'));
  const program = await bundle(environment);
  const made = await Promise.all(['x', 'y', 'z'].map((label) => race(environment, program, label, 15)));
  const reachable = ancestors(environment);
  for (const commit of made.flat()) expect(reachable).toContain(commit);
  expect(made.flat().length).toBeGreaterThan(15);
  const last = await environment.open();
  await last.checkpoint({ cause: 'reconcile' });
  expect(environment.tipTree()).toBe(environment.nativeTree());
  environment.fsck();
});

test('killed in the middle: what was acknowledged is there, and the next process goes on', async () => {
  const environment = makeEnvironment({ files: { shared: '0' } });
  mkdirSync(join(environment.tree, 'dir'));
  const program = await bundle(environment);
  for (const killAfter of [1, 3, 4, 7]) {
    const made = await race(environment, program, 'x', 200, killAfter);
    expect(made.length).toBeGreaterThan(0);
    const reachable = ancestors(environment);
    for (const commit of made) expect(reachable).toContain(commit);
  }
  const last = await environment.open();
  await last.checkpoint({ cause: 'reconcile' });
  expect(environment.tipTree()).toBe(environment.nativeTree());
  environment.fsck();
});

test('two instances in one process, hinted, interleaved', async () => {
  const environment = makeEnvironment({ files: { a: '0', b: '0' } });
  const [left, right] = [await environment.open(), await environment.open()];
  const made: (string | undefined)[] = [];
  for (let round = 0; round < 10; round++) {
    environment.write({ [`l${round}`]: `${round}`, [`r/${round}`]: `${round}` });
    const [one, other] = await Promise.all([
      left.checkpoint({ cause: 'edit', paths: [`l${round}` as BytePath] }),
      right.checkpoint({ cause: 'edit', paths: [`r/${round}` as BytePath] }),
    ]);
    made.push(one.checkpoint, other.checkpoint);
    expect(environment.tipTree()).toBe(environment.nativeTree());
  }
  const reachable = ancestors(environment);
  for (const commit of made) if (commit !== undefined) expect(reachable).toContain(commit);
});

test('a foreign tip: what is on disk is put on top of it, with nothing of it lost from history', async () => {
  const environment = makeEnvironment({ files: { a: '0', 'd/b': '0', keep: '1' } });
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  const foreign = environment.repository.commit('foreign', { a: 'theirs', 'd/c': 'theirs', e: 'theirs' });
  environment.repository.git('update-ref', 'refs/heads/coppice/demo', foreign);
  environment.repository.git('pack-refs', '--all');
  environment.write({ keep: 'mine' });
  const { changes } = await checkpointer.checkpoint({ cause: 'edit', paths: ['keep' as BytePath] });
  expect(changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
    'modified a',
    'deleted d/c',
    'deleted e',
    'modified keep',
  ]);
  expect(environment.tipTree()).toBe(environment.nativeTree());
  expect(ancestors(environment)).toContain(foreign);
});

test('a lock that goes away is waited for, without making the commit again', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  const lock = join(environment.host.commonDirectory, 'refs/heads/coppice/demo.lock');
  writeFileSync(lock, '');
  environment.write({ a: 'x' });
  const pending = checkpointer.checkpoint({ cause: 'edit', paths: ['a' as BytePath] });
  await expect.poll(() => packs(environment), { timeout: hangs }).toBeGreaterThan(0);
  rmSync(lock);
  expect((await pending).checkpoint).toBe(environment.tip());
  expect(packs(environment)).toBe(1);
});

function packs(environment: TestEnvironment): number {
  const directory = join(environment.host.commonDirectory, 'objects/pack');
  return readdirSync(directory).filter((name) => name.endsWith('.idx') && name.startsWith('pack-')).length;
}
