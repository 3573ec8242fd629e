/** The daemon's log: lines with a time, in a file that never grows beyond a size. */
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Surroundings } from '../platform/surroundings.ts';

/** Bytes; one older file of this size is kept beside it. */
const most = 2 ** 20;

export function logPathOf(surroundings: Surroundings): string {
  return join(surroundings.stateDirectory, 'daemon.log');
}

/** Opens the log for appending, putting a full one aside. The caller closes it. */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= most) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}

export interface Log {
  write(message: string): void;
  close(): void;
}

export function makeLog(path: string): Log {
  let file = openLog(path);
  let size = statSync(path).size;
  return {
    write: (message) => {
      const line = `${new Date().toISOString()} ${message.replaceAll('\n', '\n  ')}\n`;
      size += writeSync(file, line);
      if (size < most) return;
      closeSync(file);
      file = openLog(path);
      size = 0;
    },
    close: () => closeSync(file),
  };
}
