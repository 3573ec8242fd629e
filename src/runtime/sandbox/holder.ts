/**
 * Keeps a bubblewrap sandbox standing: one bwrap with a small shell in it that starts the execs it is asked for, so
 * that they share processes, network and /tmp as in a container. It outlives us. If it was killed (`kill -9 -1` inside
 * can), the next exec puts up a new one.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CoppiceError } from '../../domain/error.ts';
import { run, startDetached } from '../../platform/process.ts';
import { groupOf, passwdOf } from './accounts.ts';
import { type Belongings, type HostUser, runInside, sandboxArguments } from './bubblewrap.ts';
import type { HostView } from './host-view.ts';
import { joinGroups } from './limits.ts';
import { identify, isRunning, type Leader } from './processes.ts';
import { forwarderLoop, netDirectory } from './proxy.ts';
import { codeOf, hasAllowlist, ifThere, type Sandbox } from './store.ts';

export const markerName = 'COPPICE_SANDBOX';

/** What the processes of a sandbox, or of one exec of it, carry in their environment. */
export function markerOf(sandbox: Sandbox, exec = ''): string {
  return `${markerName}=${sandbox.token}/${exec}`;
}

export interface HolderPlace {
  readonly directory: string;
  readonly path: string;
  readonly view: HostView;
  readonly host: HostUser;
  /** Files of control groups to join. */
  readonly groups: readonly string[];
  /** For the forwarder, where there is one. */
  readonly node: string;
}

/** Where exec directories are on the host. */
export function runDirectory(directory: string): string {
  return join(directory, 'run');
}

const patience = 15_000;

export async function holderOf(directory: string): Promise<Leader | undefined> {
  const text = await ifThere(readFile(join(directory, 'holder'), 'utf8'));
  const [pid, started] = text?.split(' ') ?? [];
  return pid === undefined || started === undefined ? undefined : { pid: Number(pid), started };
}

/** Whether it runs and takes requests: the shell in it may have been killed a moment ago. */
export async function holderStands(directory: string): Promise<boolean> {
  const holder = await holderOf(directory);
  return holder !== undefined && (await isRunning(holder)) && (await isListening(directory));
}

/** Resolves once it takes requests. Throws `engine-error` with what bwrap said. The caller keeps others from doing the same. */
export async function putUp(sandbox: Sandbox, place: HolderPlace): Promise<void> {
  const { directory } = place;
  const own = await prepare(sandbox, place);
  const log = await open(join(directory, 'log'), 'w', 0o600);
  try {
    const file = join(directory, 'arguments');
    await writeFile(file, sandboxArguments(sandbox.request, own, place.view, place.host).join('\0'), { mode: 0o600 });
    const [command, ...args] = joinGroups(place.groups, ['sh', '-c', starter, starter, file, supervisor(sandbox)]);
    const env = { PATH: place.path, [markerName]: `${sandbox.token}/` };
    const pid = await startDetached(command, args, { env, cwd: '/', log: log.fd });
    const leader = await identify(pid);
    if (leader !== undefined) {
      await writeFile(join(directory, 'holder'), `${leader.pid} ${leader.started}`, { mode: 0o600 });
      if (await listensSoon(directory, leader)) return;
    }
  } finally {
    await log.close();
  }
  const said = (await readFile(join(directory, 'log'), 'utf8')).trim().split('\n').slice(-3).join(' ');
  throw new CoppiceError('unavailable', 'engine-error', `The sandbox ${sandbox.id} did not start: ${said}`, {
    hint: 'Run `coppice doctor`; --runtime docker is the alternative.',
  });
}

/** Asks the shell inside to run the script of this exec. Throws `engine-error` when nobody listens. */
export async function askHolder(directory: string, exec: string): Promise<void> {
  try {
    const requests = await openRequests(directory);
    try {
      await requests.write(`${exec}\n`);
    } finally {
      await requests.close();
    }
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw new CoppiceError('unavailable', 'engine-error', 'The sandbox takes no commands.', {
      hint: 'Stop and start the environment.',
      data: { lost: true },
      cause: error,
    });
  }
}

/**
 * bwrap is the first process inside, where its arguments and environment can be read: no path of the host may be in
 * them. It gets its arguments from a file, and only the marker from us. Descriptors that whoever started us left open
 * would lead out of the sandbox: they are closed, which for those of two digits takes bash.
 */
const starter = `
if [ -z "$BASH_VERSION" ] && command -v bash >/dev/null; then exec bash -c "$0" "$0" "$@"; fi
for each in /proc/self/fd/*; do
  n=\${each##*/}
  if [ "$n" -gt 2 ] && { [ "$n" -lt 10 ] || [ -n "$BASH_VERSION" ]; }; then eval "exec $n>&-"; fi
done
exec 3<"$1"
exec env -i ${markerName}="$${markerName}" "$(command -v bwrap)" --args 3 -- sh -c "$2"`;

async function prepare(sandbox: Sandbox, { directory, path, node }: HolderPlace): Promise<Belongings> {
  const own: Belongings = {
    tmp: join(directory, 'tmp'),
    varTmp: join(directory, 'var-tmp'),
    run: runDirectory(directory),
    passwd: join(directory, 'passwd'),
    group: join(directory, 'group'),
    ...(hasAllowlist(sandbox) ? { net: { directory: netDirectory(directory), node } } : {}),
  };
  for (const temporary of [own.tmp, own.varTmp]) {
    await mkdir(temporary, { recursive: true });
    await chmod(temporary, 0o1777);
  }
  await writeFile(own.passwd, passwdOf(await hostFile('/etc/passwd'), sandbox.request.user));
  await writeFile(own.group, groupOf(await hostFile('/etc/group'), sandbox.request.user));
  // Left over from a sandbox that was killed: nobody reads these pipes any more.
  await rm(own.run, { recursive: true, force: true });
  await mkdir(own.run, { recursive: true, mode: 0o700 });
  const made = await run('mkfifo', ['-m', '600', join(own.run, 'requests')], { env: { PATH: path } });
  if (made.status !== 0) throw new CoppiceError('unavailable', 'engine-error', `No pipe: ${made.stderr.trim()}`);
  return own;
}

async function hostFile(path: string): Promise<string> {
  return (await ifThere(readFile(path, 'utf8'))) ?? '';
}

/**
 * Each request is the name of a directory with a script. setsid --fork gives the command a session of its own (a
 * `kill 0` must not reach the shell) without the ignored SIGINT that a shell gives to what it starts with `&`.
 */
function supervisor(sandbox: Sandbox): string {
  return [
    `exec 9<>${runInside}/requests >/dev/null 2>&1`,
    ...(hasAllowlist(sandbox) ? [forwarderLoop()] : []),
    'while read -r name <&9; do',
    `  ${markerName}=${sandbox.token}/$name setsid --fork sh "${runInside}/$name/script" 9<&- </dev/null`,
    'done',
  ].join('\n');
}

async function listensSoon(directory: string, holder: Leader): Promise<boolean> {
  const until = performance.now() + patience;
  while (performance.now() < until) {
    if (await isListening(directory)) return true;
    if (!(await isRunning(holder))) return false;
    await pause(2);
  }
  return false;
}

async function isListening(directory: string): Promise<boolean> {
  try {
    await (await openRequests(directory)).close();
    return true;
  } catch (error) {
    // No reader, or no pipe.
    if (codeOf(error) !== 'ENXIO' && codeOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

function openRequests(directory: string) {
  return open(join(runDirectory(directory), 'requests'), constants.O_WRONLY | constants.O_NONBLOCK);
}
