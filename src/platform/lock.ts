/**
 * A lock between processes of one machine that no crash can leave behind: an abstract unix socket, which the kernel
 * frees with its process (unix(7)). Locks here only save work or keep order; what must never be lost is guarded by
 * compare-and-swap on references.
 */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { CoppiceError } from '../domain/error.ts';

export interface Lock {
  release(): Promise<void>;
}

/** Resolves to undefined at once when somebody else holds it. */
export function tryLock(name: string): Promise<Lock | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address(name), () => resolve({ release: () => close(server) }));
  });
}

/** Waits until the lock is free, at most `timeout` milliseconds. */
export async function acquireLock(name: string, timeout = 120_000, signal?: AbortSignal): Promise<Lock> {
  const until = performance.now() + timeout;
  for (let pause = 2; ; pause = Math.min(pause * 1.5, 50)) {
    const lock = await tryLock(name);
    if (lock !== undefined) return lock;
    if (signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', `Waiting for ${name} was interrupted.`);
    if (performance.now() > until) {
      throw new CoppiceError('unavailable', 'lock-busy', `Another coppice process has been holding ${name} for long.`, {
        hint: 'Wait for it to finish, or look for a hung coppice process.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
  }
}

/** Runs `body` while holding the lock. */
export async function withLock<Result>(name: string, body: () => Promise<Result>): Promise<Result> {
  const lock = await acquireLock(name);
  try {
    return await body();
  } finally {
    await lock.release();
  }
}

function address(name: string): string {
  return `\0coppice-${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
