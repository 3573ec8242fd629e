import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { isAlive, thisProcess } from '../../src/platform/liveness.ts';
import { acquireLock, tryLock, withLock } from '../../src/platform/lock.ts';

it('is held by one at a time, and free again after a failure', async () => {
  const name = `test ${process.pid} ${Math.random()}`;
  const held = await acquireLock(name);
  expect(await tryLock(name)).toBeUndefined();
  await held.release();
  await expect(withLock(name, () => Promise.reject(new Error('inside')))).rejects.toThrow('inside');
  const order: number[] = [];
  await Promise.all(
    [1, 2, 3].map((each) =>
      withLock(name, async () => {
        order.push(each);
        await new Promise((next) => setImmediate(next));
        order.push(each);
      }),
    ),
  );
  expect(order.filter((each, index) => index % 2 === 0 && each !== order[index + 1])).toEqual([]);
});

it('dies with its process, however that ends', async () => {
  const name = `killed ${process.pid} ${Math.random()}`;
  const digest = (await import('node:crypto')).createHash('sha256').update(name).digest('hex').slice(0, 40);
  const script = `require('net').createServer().listen('\\0coppice-${digest}', () => console.log('held'))`;
  const child = spawn(process.execPath, ['-e', script], { cwd: resolve('/'), stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((ready) => child.stdout.once('data', ready));
  expect(await tryLock(name)).toBeUndefined();
  const closed = new Promise((done) => child.on('close', done));
  child.kill('SIGKILL');
  await closed;
  const lock = await acquireLock(name);
  await lock.release();
});

it('tells a process from another one that got its number', async () => {
  expect(isAlive(thisProcess())).toBe(true);
  expect(isAlive({ pid: process.pid, started: 'another boot:1' })).toBe(false);
  const child = spawn(process.execPath, ['-e', '0']);
  const pid = child.pid ?? 0;
  await new Promise((done) => child.on('close', done));
  expect(isAlive({ pid, started: '' })).toBe(false);
});
