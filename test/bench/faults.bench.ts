/** Seconds from quiet to saved after each kind of fault that `test/faults` injects. Target: 5 s. */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import type { Watcher } from '../../src/watch/watch.ts';
import { fill, putOnSmallDisk } from '../faults/disk.ts';
import { type Ground, makeGround, startDaemon, tipOf, watch } from '../faults/ground.ts';
import { killChildren } from '../faults/processes.ts';
import { openWriter, randomFrom } from '../faults/writer.ts';
import { quietToSaved } from './saved.ts';
import { print, type Series } from './table.ts';

/** Milliseconds. */
const target = 5_000;
const results: Series[] = [];

function note(name: string, milliseconds: readonly number[]): void {
  results.push({ name, milliseconds });
  const worst = Math.max(...milliseconds);
  if (worst > target) process.stdout.write(`${name}: ${(worst / 1000).toFixed(1)} s, more than the target of 5 s\n`);
}

afterAll(() => {
  results.push({ name: 'the target', milliseconds: [target] });
  print('from quiet to saved after a fault', results);
});

const rounds = [1, 2, 3, 4, 5];

/** A ground that is watched, and somebody at work on it. */
async function scene(options?: Parameters<typeof watch>[1]) {
  const ground = await makeGround();
  const watching = await watch(ground, options);
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), randomFrom(7));
  const at = (path: string) => join(ground.tree('one'), path);
  return { ground, watching, writer, at };
}

async function measure(name: string, ground: Ground, fault: (round: number) => void | Promise<void>) {
  const taken: number[] = [];
  for (const round of rounds) {
    await fault(round);
    taken.push(await quietToSaved(ground, 'one'));
  }
  note(name, taken);
}

it('without any', async () => {
  const { ground, writer } = await scene();
  await measure('no fault, 30 changes', ground, () => writer.work(30));
});

it('every event lost', async () => {
  const deaf: Watcher = { watch: async () => ({ size: 1, close: async () => undefined }) };
  const { ground, writer } = await scene({ watchers: { tree: deaf, git: deaf } });
  await measure('every event lost', ground, () => writer.work(30));
});

it('the daemon killed and started again', async () => {
  const ground = await makeGround();
  const writer = openWriter(ground.tree('one'), randomFrom(8));
  let daemon = startDaemon(ground);
  await measure('kill -9 of the daemon, from the start of the next', ground, async () => {
    writer.work(30);
    await daemon.kill();
    writer.work(5);
    daemon = startDaemon(ground);
  });
});

it('its git processes killed', async () => {
  const ground = await makeGround();
  const writer = openWriter(ground.tree('one'), randomFrom(9));
  const daemon = startDaemon(ground);
  const before = tipOf(ground, 'one');
  while (tipOf(ground, 'one') === before) {
    writer.work(1);
    await new Promise((next) => setTimeout(next, 200));
  }
  await measure('kill -9 of its git processes', ground, () => {
    writer.work(30);
    killChildren(daemon, randomFrom(1));
  });
});

it('two daemons', async () => {
  const ground = await makeGround();
  const writer = openWriter(ground.tree('one'), randomFrom(10));
  for (const name of ['first', 'second']) startDaemon(ground, name);
  await measure('two daemons at once', ground, () => writer.work(30));
});

it('the disk full, and freed', async () => {
  const ground = await makeGround();
  putOnSmallDisk(ground, ground.common, '8m');
  const watching = await watch(ground);
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), randomFrom(11));
  await measure('disk full, from when it is freed', ground, async (round) => {
    const free = fill(ground.common, 4_096);
    writer.work(10);
    writeFileSync(join(ground.tree('one'), 'noise.bin'), Buffer.from(randomBytesOf(100_000, round)));
    while (watching.status('one').lastError?.code !== 'disk-full') await new Promise((next) => setTimeout(next, 20));
    free();
  });
});

function randomBytesOf(size: number, seed: number): Uint8Array {
  const random = randomFrom(seed);
  return Uint8Array.from({ length: size }, () => random(256));
}

it('locks of others', async () => {
  const { ground, writer } = await scene();
  const index = join(ground.common, 'worktrees/coppice-one/index.lock');
  writeFileSync(index, 'somebody');
  await measure('index.lock held', ground, () => writer.work(30));
  rmSync(index);
  const lock = join(ground.common, 'refs/heads/coppice/one.lock');
  await measure('the branch locked for 2 s, from its release', ground, async () => {
    writeFileSync(lock, '');
    writer.work(10);
    await new Promise((next) => setTimeout(next, 2_000));
    rmSync(lock);
  });
});

it('directories renamed', async () => {
  const { ground, at } = await scene();
  mkdirSync(at('large/a/b'), { recursive: true });
  for (let file = 0; file < 3_000; file++)
    writeFileSync(at(`large/${file % 3 === 0 ? 'a/b/' : ''}${file}`), `${file}\n`);
  note('3,000 files written', [await quietToSaved(ground, 'one')]);
  await measure('a directory of 3,000 files renamed', ground, (round) =>
    renameSync(at(round % 2 === 1 ? 'large' : 'renamed'), at(round % 2 === 1 ? 'renamed' : 'large')),
  );
});

it('written while it is read', async () => {
  const { ground, at } = await scene();
  await measure('written for 2 s without a pause', ground, async () => {
    const until = performance.now() + 2_000;
    for (let line = 0; performance.now() < until; line++) {
      appendFileSync(at('growing.log'), `${line} ${'x'.repeat(line % 200)}\n`);
      if (line % 50 === 0) writeFileSync(at('rewritten.bin'), Buffer.alloc(2_000_000, line));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});

it('clocks', async () => {
  const { ground, writer } = await scene();
  vi.useFakeTimers({ toFake: ['Date'], shouldAdvanceTime: false });
  onTestFinished(() => void vi.useRealTimers());
  const times = ['2026-06-01', '2001-02-03', '1969-12-31T12:00:00Z', '2099-12-31', '2026-06-02'];
  await measure('the clock set back and ahead', ground, (round) => {
    vi.setSystemTime(new Date(times[round - 1] ?? 0));
    writer.work(30);
  });
});

it('others at work in the repository', async () => {
  const { ground, writer } = await scene();
  const { repository } = ground;
  await measure('the branch moved by hand', ground, (round) => {
    writer.work(10);
    repository.git('update-ref', 'refs/heads/coppice/one', repository.commit(`foreign ${round}`, { f: `${round}\n` }));
  });
  await measure('during git gc --prune=now', ground, () => {
    writer.work(30);
    const { path, env } = repository;
    spawn('git', ['gc', '-q', '--prune=now'], { cwd: path, env, stdio: 'ignore' });
    writer.work(5);
  });
  expect(existsSync(ground.common)).toBe(true);
});
