/**
 * The way out of a sandbox with an allowlist. The sandbox has no network at all; a proxy of ours on the host listens on a
 * socket in a directory that is mounted inside, and a forwarder inside joins a port of the loopback to it.
 */
import { copyFile, mkdir, open, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CoppiceError } from '../../domain/error.ts';
import { type Denials, denialsSchema, noDenials } from '../../domain/network.ts';
import { type ForwarderConfiguration, type ProxyConfiguration, proxyPort } from '../../gateway/configuration.ts';
import { startDetached } from '../../platform/process.ts';
import { identify, isRunning, type Leader, sendSignal } from './processes.ts';
import { ifThere } from './store.ts';

/** Where the directory with the socket and the forwarder is inside, read-only. */
export const netInside = '/coppice/net';
/** The Node that runs the forwarder: it may be one that the sandbox would not see. */
export const netNodeInside = '/coppice/net-node';

const programName = 'forward.cjs';

export function netDirectory(directory: string): string {
  return join(directory, 'net');
}

/** Little memory to begin with: there is one for each sandbox. */
const frugal = ['--max-old-space-size=64', '--max-semi-space-size=1'];

const deniedFile = (directory: string) => join(directory, 'denied.json');
const leaderFile = (directory: string) => join(directory, 'proxy');

export interface ProxyPlace {
  /** The sandbox's own directory. */
  readonly directory: string;
  /** Path of the bundled gateway. */
  readonly program: string;
  readonly node: string;
  /** What the proxy carries in its environment, so that it ends with the sandbox. */
  readonly marker: readonly [name: string, value: string];
  readonly path: string;
}

/** Whether somebody listens. */
export async function proxyStands(directory: string): Promise<boolean> {
  const opened = await ifThere(open(netDirectory(directory)));
  if (opened === undefined) return false;
  try {
    // By descriptor: the path of a socket has room for 107 bytes only (unix(7)).
    return await answers(`/proc/self/fd/${opened.fd}/socket`);
  } finally {
    await opened.close();
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Milliseconds it gets to listen. */
const patience = 60_000;

/** Starts it, with an empty list of what was denied. The caller keeps others from doing the same. */
export async function putUpProxy(place: ProxyPlace, allow: readonly string[]): Promise<void> {
  const { directory } = place;
  const net = netDirectory(directory);
  await mkdir(net, { recursive: true, mode: 0o700 });
  await rm(deniedFile(directory), { force: true });
  await rm(join(net, 'socket'), { force: true });
  await copyFile(place.program, join(net, programName));
  const configuration: ProxyConfiguration = { kind: 'proxy', directory: net, denied: deniedFile(directory), allow };
  const log = await open(join(directory, 'proxy.log'), 'w', 0o600);
  try {
    const [name, value] = place.marker;
    const env = { PATH: place.path, [name]: value };
    const pid = await startDetached(place.node, [...frugal, place.program, JSON.stringify(configuration)], {
      env,
      cwd: '/',
      log: log.fd,
    });
    const leader = await identify(pid);
    if (leader !== undefined && (await listensSoon(directory, leader))) {
      const noted = await open(leaderFile(directory), 'w', 0o600);
      await noted.writeFile(`${leader.pid} ${leader.started}`);
      await noted.close();
      return;
    }
  } finally {
    await log.close();
  }
  const said = (await readFile(join(directory, 'proxy.log'), 'utf8')).trim().split('\n').slice(-3).join(' ');
  throw new CoppiceError('unavailable', 'engine-error', `The proxy of the sandbox did not start: ${said}`);
}

async function listensSoon(directory: string, leader: Leader): Promise<boolean> {
  const until = performance.now() + patience;
  while (performance.now() < until) {
    if (await proxyStands(directory)) return true;
    if (!(await isRunning(leader))) return false;
    await pause(5);
  }
  return false;
}

/** The socket of a proxy that is gone leads nowhere. */
export async function takeDownProxy(directory: string): Promise<void> {
  const text = await ifThere(readFile(leaderFile(directory), 'utf8'));
  const [pid, started] = text?.split(' ') ?? [];
  if (pid === undefined || started === undefined) return;
  const leader = { pid: Number(pid), started };
  const until = performance.now() + patience;
  while ((await isRunning(leader)) && performance.now() < until) {
    sendSignal(leader.pid, 'SIGKILL');
    await pause(2);
  }
}

/** Resolves once the forwarder inside has its port, or cannot get it. */
export async function forwarderReady(directory: string): Promise<boolean> {
  const until = performance.now() + patience;
  while (performance.now() < until) {
    const ready = await ifThere(readFile(join(netDirectory(directory), 'ready')));
    if (ready !== undefined) return true;
    await pause(5);
  }
  return false;
}

export async function forgetForwarder(directory: string): Promise<void> {
  await rm(join(netDirectory(directory), 'ready'), { force: true });
}

/** A line of shell, for inside: keeps the forwarder running, whoever kills it. */
export function forwarderLoop(): string {
  const configuration: ForwarderConfiguration = {
    kind: 'forwarder',
    socket: `${netInside}/socket`,
    port: proxyPort,
  };
  const command = `${netNodeInside} ${frugal.join(' ')} ${netInside}/${programName} '${JSON.stringify(configuration)}'`;
  return `while :; do ${command}; sleep 1; done </dev/null >/dev/null 2>&1 9<&- &`;
}

export async function deniedByProxy(directory: string): Promise<Denials> {
  const text = await ifThere(readFile(deniedFile(directory), 'utf8'));
  return text === undefined ? noDenials : denialsSchema.parse(JSON.parse(text));
}
