/** Of daemons that start at once, exactly one stays. */
import { CoppiceError } from '../domain/error.ts';
import { type Lock, tryLock } from '../platform/lock.ts';
import type { Surroundings } from '../platform/surroundings.ts';
import { connect } from './client.ts';
import { daemonLockOf } from './socket.ts';

/** Milliseconds in which a daemon that is ending, or has only begun, is waited for. */
const takeOver = 30_000;

/** The lock, or undefined when another daemon holds it and answers. Throws `daemon-stuck` (kind `unavailable`). */
export async function becomeTheOne(surroundings: Surroundings, path: string): Promise<Lock | undefined> {
  const until = performance.now() + takeOver;
  for (;;) {
    const lock = await tryLock(daemonLockOf(surroundings));
    if (lock !== undefined) return lock;
    const other = await connect(path);
    other?.close();
    if (other !== undefined) return undefined;
    if (performance.now() > until) {
      throw new CoppiceError('unavailable', 'daemon-stuck', 'Another daemon holds the lock but does not answer.', {
        hint: 'Look for a hung `coppice daemon` process and end it.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
