/** A small disk that can be filled up and freed. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Ground } from './ground.ts';

/** Puts what is in the directory on a file system of its own, gone after the test. Only root may. */
export function putOnSmallDisk({ repository }: Pick<Ground, 'repository'>, directory: string, size: string): void {
  if (process.getuid?.() !== 0) throw new Error('This test mounts a small file system: run it as root.');
  const aside = join(repository.directory, 'aside');
  execFileSync('cp', ['-a', directory, aside]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'coppice-test', directory]);
  onTestFinished(() => void execFileSync('umount', ['--lazy', directory]));
  execFileSync('cp', ['-a', `${aside}/.`, directory]);
}

/** Leaves so many bytes free. Returns what frees the rest again. */
export function fill(directory: string, left: number): () => void {
  const { bavail, bsize } = statfsSync(directory);
  const path = join(directory, 'filler');
  const file = openSync(path, 'w');
  const chunk = Buffer.alloc(bsize);
  for (let free = bavail * bsize - left; free > 0; free -= bsize) writeSync(file, chunk);
  closeSync(file);
  return () => rmSync(path);
}
