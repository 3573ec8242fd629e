/** Kills the git processes of a daemon. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { DaemonProcess } from './ground.ts';
import type { Random } from './writer.ts';

/** Some of the processes that the daemon has started and that run git. Returns how many. */
export function killChildren({ pid }: DaemonProcess, random: Random): number {
  let killed = 0;
  for (const child of childrenOf(pid)) {
    if (random(3) === 0 || !isGit(child)) continue;
    try {
      process.kill(child, 'SIGKILL');
      killed++;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
  return killed;
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
}

function isGit(pid: number): boolean {
  const path = `/proc/${pid}/comm`;
  return existsSync(path) && readFileSync(path, 'latin1').trim() === 'git';
}
