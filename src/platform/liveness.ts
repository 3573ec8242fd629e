/** Tells whether a process named in a file or a record is still the one that wrote it: pid plus start time. */
import { readFileSync } from 'node:fs';
import { errnoOf } from './errno.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id and start time in clock ticks where /proc tells them; else empty. */
  readonly started: string;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, started: startOf(process.pid) ?? '' };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const started = startOf(identity.pid);
  if (started !== undefined) return identity.started === '' || started === identity.started;
  return hasNoProc() && signalReaches(identity.pid);
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; field 22 (start time) is the 20th after it (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return `${bootId()}:${fields[19] ?? ''}`;
  } catch (error) {
    if (errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function hasNoProc(): boolean {
  return startOf(process.pid) === undefined;
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return errnoOf(error) === 'EPERM';
  }
}
