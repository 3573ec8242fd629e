/**
 * Finds and ends the processes of a sandbox from outside, by what /proc tells (proc(5)): the ones we started, whatever
 * descends from them, and whatever carries our marker in its environment although its parents are gone.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { CoppiceError } from '../../domain/error.ts';

export interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Boot id and start time in clock ticks: a number that was used again does not match. */
  readonly started: string;
}

/** A process that leads others, and when it started. */
export interface Leader {
  readonly pid: number;
  readonly started: string;
}

/** Which processes belong together. */
export interface Pack {
  readonly leaders: readonly Leader[];
  /** `NAME=value`, or the beginning of it, that their environment holds. */
  readonly marker: string;
  /** Whether the dead count: under a limit of processes they do until their parent has taken notice. */
  readonly limited?: boolean;
}

/** Every process of the machine but zombies. */
export async function hostProcesses(): Promise<ReadonlyMap<number, HostProcess>> {
  const boot = await bootId();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map((pid) => readProcess(Number(pid), boot)));
  return new Map(found.flatMap((each) => (each === undefined ? [] : [[each.pid, each]])));
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
}

async function readProcess(pid: number, boot: string): Promise<HostProcess | undefined> {
  const stat = (await readIfAlive(`/proc/${pid}/stat`))?.toString('latin1');
  if (stat === undefined) return undefined;
  // The name in parentheses may hold anything; what follows are the fields from the third on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, parent: Number(fields[1]), session: Number(fields[3]), started: `${boot}:${fields[19] ?? ''}` };
}

/** The children of a process, oldest first. */
export function childrenOf(pid: number, processes: ReadonlyMap<number, HostProcess>): readonly HostProcess[] {
  return byAge([...processes.values()].filter((each) => each.parent === pid));
}

function byAge(processes: readonly HostProcess[]): readonly HostProcess[] {
  const ticks = (each: HostProcess) => Number(each.started.split(':')[1]);
  return processes.toSorted((one, other) => ticks(one) - ticks(other) || one.pid - other.pid);
}

/** Oldest first. */
export async function findPack(pack: Pack): Promise<readonly HostProcess[]> {
  const processes = await hostProcesses();
  const led = new Set(
    pack.leaders.filter(({ pid, started }) => processes.get(pid)?.started === started).map(({ pid }) => pid),
  );
  const members = new Set(led);
  const marker = Buffer.from(pack.marker);
  await Promise.all(
    [...processes.values()].map(async ({ pid, session }) => {
      if (led.has(session)) members.add(pid);
      else if ((await readIfAlive(`/proc/${pid}/environ`))?.includes(marker)) members.add(pid);
    }),
  );
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    for (const { pid, parent } of processes.values()) if (members.has(parent)) members.add(pid);
  }
  members.delete(process.pid);
  return byAge([...processes.values()].filter(({ pid }) => members.has(pid)));
}

/** How long processes get to vanish once SIGKILL was sent: one that waits for a disk may take long. */
const patience = 20_000;
/** How long the dead get to be buried. An init process does it at once; the odd one in a container takes seconds. */
const burial = 3_000;

/**
 * Freezes them, so that none can slip away by leaving its parent, then kills them, until none is left. Throws
 * `engine-error` when some do not go. What escapes is only a process that had thrown away its environment *and* lost
 * every parent before we looked.
 */
export async function endPack(pack: Pack): Promise<void> {
  const until = performance.now() + patience;
  const killed: HostProcess[] = [];
  for (;;) {
    const members = await freeze(pack);
    if (members.length === 0) break;
    if (performance.now() > until) {
      const pids = members.map(({ pid }) => pid);
      throw new CoppiceError('unavailable', 'engine-error', `Processes of the sandbox do not end: ${pids.join(' ')}.`, {
        hint: 'Look at them with ps; they may wait for a disk or belong to another user.',
        data: { pids },
      });
    }
    for (const { pid } of members) sendSignal(pid, 'SIGKILL');
    killed.push(...members);
    await pause(2);
  }
  const buried = performance.now() + burial;
  while (pack.limited === true && performance.now() < buried && killed.some(({ pid }) => existsSync(`/proc/${pid}`))) {
    await pause(10);
  }
}

async function freeze(pack: Pack): Promise<readonly HostProcess[]> {
  const frozen = new Map<number, HostProcess>();
  for (;;) {
    const found = await findPack({ ...pack, leaders: [...pack.leaders, ...frozen.values()] });
    const fresh = found.filter(({ pid }) => !frozen.has(pid));
    if (fresh.length === 0) return found;
    for (const member of fresh) {
      frozen.set(member.pid, member);
      sendSignal(member.pid, 'SIGSTOP');
    }
  }
}

/** Whether this very process still runs. */
export async function isRunning({ pid, started }: Leader): Promise<boolean> {
  return (await readProcess(pid, await bootId()))?.started === started;
}

/** Undefined when it is gone already. */
export async function identify(pid: number): Promise<Leader | undefined> {
  return readProcess(pid, await bootId());
}

/** Whether it was there to receive it. */
export function sendSignal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

async function readIfAlive(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Gone meanwhile, or another user's. */
function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM';
}
