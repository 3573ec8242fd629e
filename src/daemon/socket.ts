/** Where the daemon's socket is, and that nobody else can reach it: a directory of the user's own, mode 0700. */
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CoppiceError } from '../domain/error.ts';
import type { Surroundings } from '../platform/surroundings.ts';

/** Bytes that fit in sockaddr_un on every system coppice runs on; longer paths are cut off silently by some. */
const longestPath = 103;

/** Throws `socket-path-too-long` (kind `unavailable`). */
export function socketPathOf(surroundings: Surroundings): string {
  const path = join(surroundings.runtimeDirectory, 'daemon.sock');
  if (Buffer.byteLength(path) <= longestPath) return path;
  throw new CoppiceError('unavailable', 'socket-path-too-long', `${path} is too long for a socket.`, {
    hint: 'Set XDG_RUNTIME_DIR to a shorter path.',
  });
}

/** The name under which exactly one daemon holds the lock. */
export function daemonLockOf(surroundings: Surroundings): string {
  return `daemon-${surroundings.runtimeDirectory}`;
}

/** Makes the directory if need be. Throws like `checkSocketDirectory`. */
export function makeSocketDirectory(surroundings: Surroundings): void {
  mkdirSync(surroundings.runtimeDirectory, { recursive: true, mode: 0o700 });
  if (isOurs(surroundings)) chmodSync(surroundings.runtimeDirectory, 0o700);
  checkSocketDirectory(surroundings);
}

/**
 * Who can write in the directory can pretend to be the daemon, and who can enter it can talk to it: only the user may.
 * Throws `runtime-directory-unsafe` (kind `refused`).
 */
export function checkSocketDirectory(surroundings: Surroundings): void {
  const directory = surroundings.runtimeDirectory;
  if (isOurs(surroundings) && (lstatSync(directory).mode & 0o077) === 0) return;
  throw new CoppiceError('refused', 'runtime-directory-unsafe', `${directory} is not a private directory of yours.`, {
    hint: `Remove ${directory}, or set XDG_RUNTIME_DIR to a directory of your own.`,
  });
}

/** Whether there is a directory there, of this user. */
function isOurs(surroundings: Surroundings): boolean {
  const found = lstatSync(surroundings.runtimeDirectory, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === surroundings.uid;
}
