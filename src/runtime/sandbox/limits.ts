/**
 * Limits of a sandbox by control groups, where this process may make them: version 1 (a hierarchy for each
 * controller) or version 2 (one for all). Otherwise limits are not enforced, and the runtime says so.
 */
import { constants, existsSync } from 'node:fs';
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Limits } from '../../domain/spec.ts';
import { oomKillsIn } from '../oom-kills.ts';
import { codeOf, ifThere } from './store.ts';

export interface Limiter {
  /**
   * The files a process writes its id to before it becomes the command; none without limits. Repeatable: the groups are
   * noted in `directory`, because another process of ours may itself be in other groups and would look elsewhere.
   */
  prepare(directory: string, token: string, limits: Limits): Promise<readonly string[]>;
}

/** A group that is to exist, and what its files are to say. */
interface Group {
  readonly directory: string;
  readonly settings: readonly (readonly [file: string, value: string])[];
}

const mountPoint = '/sys/fs/cgroup';
/** Microseconds over which processor time is shared out; the kernel's own default. */
const period = 100_000;

/** Undefined where control groups cannot be made. */
export async function openLimiter(): Promise<Limiter | undefined> {
  const version2 = await ifThere(readFile(join(mountPoint, 'cgroup.controllers'), 'utf8'));
  const parents = version2 === undefined ? await parentsOfVersion1() : { unified: join(mountPoint, 'coppice') };
  if (parents === undefined || !(await canMake(Object.values(parents)))) return undefined;
  if ('unified' in parents && !(await delegate(parents.unified))) return undefined;
  return {
    prepare: async (directory, token, limits) => {
      const noted = await notedGroups(directory);
      const known = noted.length > 0 && noted.every((group) => existsSync(group));
      const groups = known
        ? noted
        : await makeGroups(
            'unified' in parents ? groupsOfVersion2(parents, token, limits) : groupsOfVersion1(parents, token, limits),
          );
      if (!known) await writeFile(join(directory, noteName), groups.join('\n'), { mode: 0o600 });
      return groups.map((group) => join(group, 'cgroup.procs'));
    },
  };
}

/** How often the kernel killed something of this sandbox for want of memory. */
export async function oomKills(directory: string): Promise<number> {
  const files = (await notedGroups(directory)).flatMap((group) => [
    join(group, 'memory.events'),
    join(group, 'memory.oom_control'),
  ]);
  const texts = await Promise.all(files.map((file) => ifThere(readFile(file, 'utf8'))));
  return texts.reduce((sum, text) => sum + (text === undefined ? 0 : oomKillsIn(text)), 0);
}

/** Once the processes of the sandbox are gone. Repeatable. */
export async function removeGroups(directory: string): Promise<void> {
  for (const group of await notedGroups(directory)) await rmdirIfThere(group);
}

const noteName = 'groups';

async function notedGroups(directory: string): Promise<readonly string[]> {
  const text = await ifThere(readFile(join(directory, noteName), 'utf8'));
  return (text ?? '').split('\n').filter((line) => line !== '');
}

async function makeGroups(groups: readonly Group[]): Promise<readonly string[]> {
  for (const group of groups) await make(group);
  return groups.map(({ directory }) => directory);
}

interface Version1 {
  readonly memory: string;
  readonly pids: string;
  readonly cpu: string;
}

/** Below this process's own groups, so that limits set on us hold for sandboxes too. */
async function parentsOfVersion1(): Promise<Version1 | undefined> {
  const own = await ifThere(readFile('/proc/self/cgroup', 'utf8'));
  if (own === undefined) return undefined;
  const parentOf = async (controller: string) => {
    const line = own.split('\n').find((each) => each.split(':')[1]?.split(',').includes(controller));
    const inherited = join(mountPoint, controller, line?.split(':').slice(2).join(':') ?? '/');
    const there = (await ifThere(readFile(join(inherited, 'cgroup.procs')))) !== undefined;
    return join(there ? inherited : join(mountPoint, controller), 'coppice');
  };
  return { memory: await parentOf('memory'), pids: await parentOf('pids'), cpu: await parentOf('cpu') };
}

function groupsOfVersion1(parents: Version1, token: string, limits: Limits): readonly Group[] {
  const group = (parent: string, settings: Group['settings']): readonly Group[] => [
    { directory: join(parent, token), settings },
  ];
  const memory = String(Math.trunc(limits.memory ?? 0));
  return [
    ...(limits.memory === undefined
      ? []
      : group(parents.memory, [
          ['memory.limit_in_bytes', memory],
          ['memory.memsw.limit_in_bytes', memory],
        ])),
    ...(limits.pids === undefined ? [] : group(parents.pids, [['pids.max', String(limits.pids)]])),
    ...(limits.cpus === undefined
      ? []
      : group(parents.cpu, [
          ['cpu.cfs_period_us', String(period)],
          ['cpu.cfs_quota_us', quota(limits.cpus)],
        ])),
  ];
}

function groupsOfVersion2(parents: { readonly unified: string }, token: string, limits: Limits): readonly Group[] {
  const settings: (readonly [string, string])[] = [];
  if (limits.memory !== undefined) {
    settings.push(['memory.max', String(Math.trunc(limits.memory))], ['memory.swap.max', '0']);
  }
  if (limits.pids !== undefined) settings.push(['pids.max', String(limits.pids)]);
  if (limits.cpus !== undefined) settings.push(['cpu.max', `${quota(limits.cpus)} ${period}`]);
  return settings.length === 0 ? [] : [{ directory: join(parents.unified, token), settings }];
}

/** The kernel refuses less than a millisecond. */
function quota(cpus: number): string {
  return String(Math.max(1000, Math.round(cpus * period)));
}

async function make({ directory, settings }: Group): Promise<void> {
  if ((await mkdir(directory, { recursive: true })) === undefined) return;
  for (const [file, value] of settings) {
    // A kernel without accounting of swap has no file for it.
    await ifThere(writeFile(join(directory, file), value, { flag: 'r+' }));
  }
}

/** Asks without making anything: a look at what the runtime can do leaves no trace. */
async function canMake(parents: readonly string[]): Promise<boolean> {
  try {
    for (const parent of parents) {
      const there = (await ifThere(access(parent, constants.F_OK).then(() => true))) ?? false;
      await access(there ? parent : dirname(parent), constants.W_OK);
    }
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}

/** Lets children of the root group and of ours have the controllers we set. */
async function delegate(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true });
    for (const each of [mountPoint, directory]) {
      await writeFile(join(each, 'cgroup.subtree_control'), '+memory +pids +cpu', { flag: 'r+' });
    }
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}

async function rmdirIfThere(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    // Busy: a last process is on its way out; an empty group costs nothing.
    if (!['ENOENT', 'EBUSY', 'ENOTEMPTY'].includes(String(codeOf(error)))) throw error;
  }
}

/** `command` as one that joins these groups first. */
export function joinGroups(groups: readonly string[], command: readonly string[]): readonly [string, ...string[]] {
  const script = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1" || exit; shift; n=$((n-1)); done; exec "$@"';
  return ['sh', '-c', script, 'sh', String(groups.length), ...groups, ...command];
}
