/** Starts the daemon when it is needed, replaces an older one, ends it. */
import { closeSync } from 'node:fs';
import { CoppiceError, hasCode } from '../domain/error.ts';
import { withLock } from '../platform/lock.ts';
import { startDetached } from '../platform/process.ts';
import { childEnvironment, type Surroundings } from '../platform/surroundings.ts';
import { connect, type DaemonClient } from './client.ts';
import { logPathOf, openLog } from './log.ts';
import { isNewer } from './protocol.ts';
import { checkSocketDirectory, daemonLockOf, makeSocketDirectory, socketPathOf } from './socket.ts';
import type { Build } from './status.ts';

export interface DaemonEntry {
  /** The command that runs the daemon, program first, with absolute paths. */
  readonly entry: readonly string[];
  /** What this process runs: an older daemon is replaced. */
  readonly build: Build;
  /** Milliseconds for it to answer. Default 30,000. */
  readonly timeout?: number;
}

/** Milliseconds for a daemon to end by itself, which includes saving what was hinted. */
const longestEnd = 15_000;

/** The running daemon, or undefined. Throws `runtime-directory-unsafe`, `socket-path-too-long`. */
export async function connectToDaemon(surroundings: Surroundings): Promise<DaemonClient | undefined> {
  const client = await connect(socketPathOf(surroundings));
  if (client === undefined) return undefined;
  try {
    checkSocketDirectory(surroundings);
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}

/**
 * A connection to a daemon at least as new as this process, started if need be. Throws `daemon-not-answering` (kind
 * `unavailable`): the caller goes on without it.
 */
export async function ensureDaemon(surroundings: Surroundings, how: DaemonEntry): Promise<DaemonClient> {
  makeSocketDirectory(surroundings);
  const running = await currentDaemon(surroundings, how.build);
  if (running !== undefined) return running;
  return withLock(`start-${daemonLockOf(surroundings)}`, async () => {
    const meanwhile = await currentDaemon(surroundings, how.build);
    if (meanwhile !== undefined) return meanwhile;
    await stopDaemon(surroundings);
    await startDaemon(surroundings, how.entry);
    return waitForDaemon(surroundings, how);
  });
}

/** Ends the daemon and waits until it is gone. False when none runs. */
export async function stopDaemon(surroundings: Surroundings): Promise<boolean> {
  const client = await connectToDaemon(surroundings);
  if (client === undefined) return false;
  let timer: NodeJS.Timeout | undefined;
  try {
    const { pid } = await client.ping();
    // While the connection is open that process lives, so its number is still its own.
    timer = setTimeout(() => process.kill(pid, 'SIGKILL'), longestEnd);
    await client.stop();
    await client.ended;
  } catch (error) {
    if (!hasCode(error, 'daemon-gone')) throw error;
  } finally {
    clearTimeout(timer);
    client.close();
  }
  return true;
}

async function currentDaemon(surroundings: Surroundings, build: Build): Promise<DaemonClient | undefined> {
  const client = await connectToDaemon(surroundings);
  if (client === undefined) return undefined;
  try {
    const pong = await client.ping();
    if (!isNewer(build, pong.build)) return client;
  } catch (error) {
    client.close();
    // It was just ending.
    if (hasCode(error, 'daemon-gone')) return undefined;
    throw error;
  }
  client.close();
  return undefined;
}

async function startDaemon(surroundings: Surroundings, entry: readonly string[]): Promise<void> {
  const [program, ...args] = entry;
  if (program === undefined) throw new CoppiceError('bug', 'no-entry', 'There is no command to start the daemon with.');
  const log = openLog(logPathOf(surroundings));
  try {
    await startDetached(program, args, { env: childEnvironment(surroundings), cwd: '/', log });
  } finally {
    closeSync(log);
  }
}

async function waitForDaemon(surroundings: Surroundings, how: DaemonEntry): Promise<DaemonClient> {
  const { timeout = 30_000 } = how;
  const until = performance.now() + timeout;
  for (let pause = 10; performance.now() < until; pause = Math.min(pause * 1.5, 200)) {
    const client = await currentDaemon(surroundings, how.build);
    if (client !== undefined) return client;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  throw new CoppiceError(
    'unavailable',
    'daemon-not-answering',
    `The daemon did not answer within ${timeout / 1000} s.`,
    {
      hint: `See ${logPathOf(surroundings)}.`,
      data: { log: logPathOf(surroundings) },
    },
  );
}
