/** Sets one exec going: its pipes, its script, and somebody to run it. */
import { randomUUID } from 'node:crypto';
import { open, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { allowedHosts } from '../../domain/network.ts';
import { withLock } from '../../platform/lock.ts';
import { startDetached } from '../../platform/process.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import { proxyVariables } from '../proxy-variables.ts';
import type { ExecRequest, Execution } from '../runtime.ts';
import { insidePath, runInside } from './bubblewrap.ts';
import { openChannel } from './channel.ts';
import { followExec } from './execution.ts';
import { askHolder, holderOf, holderStands, markerName, markerOf, putUp, runDirectory } from './holder.ts';
import type { HostView } from './host-view.ts';
import { joinGroups, type Limiter, oomKills } from './limits.ts';
import { endPack, identify, isRunning } from './processes.ts';
import { forgetForwarder, forwarderReady, proxyStands, putUpProxy, takeDownProxy } from './proxy.ts';
import { execScript } from './script.ts';
import { hasAllowlist, type Sandbox, type SandboxStore } from './store.ts';
import { pathOf, type Variant } from './variant.ts';

export interface Launcher {
  readonly store: SandboxStore;
  /** Found out when it is first needed: it runs programs. */
  readonly variant: () => Promise<Variant>;
  readonly view: () => Promise<HostView>;
  readonly limits: () => Promise<Limiter | undefined>;
  readonly surroundings: Surroundings;
  /** Path of the bundled gateway, for sandboxes with an allowlist. */
  readonly gateway: string | undefined;
}

/** Held while the sandbox is put up or taken down, by whatever process. */
export function withSandbox<Result>(sandbox: Sandbox, body: () => Promise<Result>): Promise<Result> {
  return withLock(`sandbox:${sandbox.token}`, body);
}

/** Makes sure the sandbox stands; nothing to do for plain processes. Call it within `withSandbox`. */
export async function ensureStanding(sandbox: Sandbox, launcher: Launcher): Promise<void> {
  const { surroundings } = launcher;
  if (sandbox.variant === 'plain') return;
  const directory = launcher.store.directoryOf(sandbox.id);
  if (await holderStands(directory)) {
    if (!(await hasWayOut(sandbox, directory))) await openWayOut(sandbox, launcher);
    return;
  }
  const variant = await launcher.variant();
  if (variant.kind === 'plain') {
    throw new CoppiceError(
      'unavailable',
      'engine-unreachable',
      `${sandbox.id} needs bubblewrap. ${variant.description}.`,
      {
        hint: 'Install bubblewrap again: the environment was made with it.',
      },
    );
  }
  // Whatever is left of the last one, such as processes of an exec that killed the shell.
  const holder = await holderOf(directory);
  await endPack({ leaders: holder === undefined ? [] : [holder], marker: markerOf(sandbox) });
  if (hasAllowlist(sandbox)) await openWayOut(sandbox, launcher);
  await forgetForwarder(directory);
  await putUp(sandbox, {
    directory,
    path: pathOf(surroundings),
    view: variant.view,
    host: surroundings,
    groups: await groupsOf(sandbox, launcher),
    node: await realpath(process.execPath),
  });
  if (!hasAllowlist(sandbox) || (await forwarderReady(directory))) return;
  throw new CoppiceError('unavailable', 'engine-error', `The proxy of ${sandbox.id} cannot be reached from inside.`, {
    hint: 'Use --runtime docker, or --network none.',
  });
}

/** A new proxy with the allowlist as it is now. Call it within `withSandbox`. */
export async function openWayOut(sandbox: Sandbox, launcher: Launcher): Promise<void> {
  if (launcher.gateway === undefined) {
    throw new CoppiceError('bug', 'no-gateway', 'This runtime was opened without the program of the gateway.');
  }
  const directory = launcher.store.directoryOf(sandbox.id);
  await takeDownProxy(directory);
  const place = {
    directory,
    program: launcher.gateway,
    node: process.execPath,
    marker: [markerName, `${sandbox.token}/`],
    path: pathOf(launcher.surroundings),
  } as const;
  await putUpProxy(place, allowedHosts(sandbox.request.network));
}

async function hasWayOut(sandbox: Sandbox, directory: string): Promise<boolean> {
  return !hasAllowlist(sandbox) || (await proxyStands(directory));
}

async function stands(sandbox: Sandbox, directory: string): Promise<boolean> {
  return (await holderStands(directory)) && (await hasWayOut(sandbox, directory));
}

/** How often a command that never began is tried again in a new sandbox. */
const attempts = 3;

/** A sandbox that dies at this very moment (`kill -9 -1` inside) is put up again: the command had not begun. */
export async function launchExec(id: string, request: ExecRequest, launcher: Launcher): Promise<Execution> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tryExec(id, request, launcher);
    } catch (error) {
      if (attempt === attempts || !isLost(error)) throw error;
    }
  }
}

async function tryExec(id: string, request: ExecRequest, launcher: Launcher): Promise<Execution> {
  if (request.signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', 'The command was interrupted.');
  const sandbox = await launcher.store.read(id);
  refuseRoot(sandbox, request, launcher);
  const isPlain = sandbox.variant === 'plain';
  await requireRunning(sandbox, launcher);
  if (!isPlain && !(await stands(sandbox, launcher.store.directoryOf(id)))) await putUpAgain(sandbox, launcher);
  const exec = randomUUID();
  const path = pathOf(launcher.surroundings);
  const directory = join(runDirectory(launcher.store.directoryOf(id)), exec);
  const limited = isPlain && sandbox.request.limits.pids !== undefined;
  const pack = { leaders: [], marker: markerOf(sandbox, exec), limited };
  const channel = await openChannel(directory, request.stdin ?? false, path);
  const cleanUp = () => rm(directory, { recursive: true, force: true });
  try {
    const script = join(directory, 'script');
    const seen = isPlain ? directory : join(runInside, exec);
    await writeFile(script, await scriptFor(sandbox, exec, seen, request, launcher), { mode: 0o600 });
    const alive = isPlain
      ? await startPlain(sandbox, exec, script, launcher)
      : await askSandbox(launcher.store.directoryOf(id), exec);
    const execution = await followExec(request, {
      channel,
      pack,
      alive,
      path,
      cleanUp,
      oomKills: () => oomKills(launcher.store.directoryOf(id)),
    });
    // Whoever stopped the sandbox meanwhile may not have seen this command yet.
    await requireRunning(sandbox, launcher);
    return execution;
  } catch (error) {
    await endPack(pack);
    await channel.letGo();
    channel.destroy();
    await cleanUp();
    throw error;
  }
}

function isLost(error: unknown): boolean {
  return hasCode(error, 'engine-error') && error.data.lost === true;
}

async function putUpAgain(sandbox: Sandbox, launcher: Launcher): Promise<void> {
  await withSandbox(sandbox, async () => {
    await requireRunning(sandbox, launcher);
    await ensureStanding(sandbox, launcher);
  });
}

async function scriptFor(
  sandbox: Sandbox,
  exec: string,
  directory: string,
  request: ExecRequest,
  launcher: Launcher,
): Promise<string> {
  return execScript({
    directory,
    command: request.command,
    workdir: request.workdir ?? sandbox.request.workdir,
    environment: await environmentOf(sandbox, exec, request, launcher),
    stdin: request.stdin ?? false,
    terminal: request.terminal,
  });
}

async function askSandbox(directory: string, exec: string): Promise<() => Promise<boolean>> {
  await askHolder(directory, exec);
  return () => holderStands(directory);
}

async function startPlain(sandbox: Sandbox, exec: string, script: string, launcher: Launcher) {
  const nowhere = await open('/dev/null', 'r+');
  try {
    const [command, ...args] = joinGroups(await groupsOf(sandbox, launcher), ['sh', script]);
    const env = { PATH: pathOf(launcher.surroundings), [markerName]: `${sandbox.token}/${exec}` };
    const leader = await identify(await startDetached(command, args, { env, cwd: '/', log: nowhere.fd }));
    return async () => leader !== undefined && (await isRunning(leader));
  } finally {
    await nowhere.close();
  }
}

async function groupsOf(sandbox: Sandbox, launcher: Launcher): Promise<readonly string[]> {
  const limiter = await launcher.limits();
  const directory = launcher.store.directoryOf(sandbox.id);
  return limiter === undefined ? [] : limiter.prepare(directory, sandbox.token, sandbox.request.limits);
}

async function environmentOf(sandbox: Sandbox, exec: string, request: ExecRequest, launcher: Launcher) {
  const { surroundings } = launcher;
  const { user, environment } = sandbox.request;
  return {
    PATH: sandbox.variant === 'bubblewrap' ? insidePath(await launcher.view()) : pathOf(surroundings),
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    SHELL: '/bin/sh',
    LANG: 'C.UTF-8',
    ...(request.terminal === undefined ? {} : { TERM: surroundings.env.TERM ?? 'xterm-256color' }),
    ...(hasAllowlist(sandbox) ? proxyVariables('127.0.0.1') : {}),
    ...environment,
    ...request.environment,
    [markerName]: `${sandbox.token}/${exec}`,
  };
}

async function requireRunning(sandbox: Sandbox, launcher: Launcher): Promise<void> {
  const now = await launcher.store.read(sandbox.id);
  if (now.state === 'running' && now.token === sandbox.token) return;
  throw new CoppiceError('refused', 'container-not-running', `The sandbox ${sandbox.id} does not run.`, {
    hint: 'Start the environment first.',
    data: { state: now.state },
  });
}

function refuseRoot(sandbox: Sandbox, request: ExecRequest, launcher: Launcher): void {
  if (!request.root) return;
  if (!sandbox.request.root) {
    throw new CoppiceError('refused', 'root-not-allowed', `${sandbox.id} does not allow commands as root.`, {
      hint: 'Set "root": true in the environment’s spec when it is created.',
    });
  }
  if (launcher.surroundings.uid !== 0) {
    throw new CoppiceError('unavailable', 'no-root', 'The sandbox runtime cannot run commands as root.', {
      hint: 'Use --runtime docker.',
    });
  }
}
