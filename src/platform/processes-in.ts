/** Who works in a directory right now: processes of this machine whose working directory is in it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from './errno.ts';

export interface ProcessThere {
  readonly pid: number;
  readonly command: string;
}

/** Only those that see the same files as we do: what runs in a container is the container's. Empty where /proc does not tell. */
export function processesIn(directory: string): readonly ProcessThere[] {
  const mounts = linkOf('/proc/self/ns/mnt');
  return entriesOf('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => isBelow(linkOf(`/proc/${pid}/cwd`), directory) && linkOf(`/proc/${pid}/ns/mnt`) === mounts)
    .map((pid) => ({ pid: Number(pid), command: commandOf(pid) }));
}

function isBelow(path: string | undefined, directory: string): boolean {
  return path !== undefined && (path === directory || path.startsWith(`${directory}/`));
}

function commandOf(pid: string): string {
  return orUndefined(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) ?? '?';
}

function linkOf(path: string): string | undefined {
  return orUndefined(() => readlinkSync(path));
}

function entriesOf(path: string): readonly string[] {
  return orUndefined(() => readdirSync(path)) ?? [];
}

/** Processes end while one looks, and some belong to others. */
function orUndefined<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
