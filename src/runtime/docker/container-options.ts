/** A request as the engine wants to hear it: pure. */
import type Docker from 'dockerode';
import { modeOf } from '../../domain/network.ts';
import { proxyVariables } from '../proxy-variables.ts';
import { type ContainerRequest, labels } from '../runtime.ts';
import type { EngineFacts } from './engine.ts';
import { type Settings, settingsLabel } from './inside.ts';
import type { Joining } from './joining.ts';

/** Where Docker puts the init it gives to containers. `-s`: whatever the command leaves behind becomes its child. */
const guard = ['/sbin/docker-init', '-s', '--'];

/** Keeps the container running, does nothing, and leaves at once when told to. */
const keeper = 'trap "exit 0" TERM INT; while :; do sleep 86400 & wait $!; done';
const nobody = 65_534;

/** Enough for any build; a fork bomb ends there instead of taking the machine along. */
const defaultPids = 4_096;
/** Open files of a process. Modest on purpose: an engine without CAP_SYS_RESOURCE cannot give more than it has. */
const openFiles = 16_384;
/** Bytes of /dev/shm; the engine's default of 64 MB makes browsers crash. It counts as memory only when used. */
const sharedMemory = 2 ** 29;

/**
 * What root gets where the spec allows it; without that nobody inside has any capability. To install packages, root must
 * write where others own (DAC_OVERRIDE), give files to the accounts a package makes and set their modes (CHOWN, FOWNER),
 * become such an account (SETUID, SETGID) and end its processes (KILL). No way to mount, trace, load or configure anything
 * of the machine: with SYS_ADMIN the read-only `.git` could be unmounted. Without FSETID a file loses its set-user-id bit
 * when it is given back to the user.
 */
const rootCapabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETUID', 'SETGID', 'KILL'];

/** How the execs of this container will run. Under a rootless Docker, uid 0 inside is the user outside. */
export function settingsOf(request: ContainerRequest, facts: EngineFacts, init: boolean, joining?: Joining): Settings {
  const { uid, gid, home } = request.user;
  const mapped = facts.rootless && !facts.podman;
  return {
    uid: mapped ? 0 : uid,
    gid: mapped ? 0 : gid,
    home,
    root: request.root,
    guard: init && facts.reaper ? guard : [],
    ...(joining === undefined ? {} : { addresses: joining.addresses }),
  };
}

export function containerOptions(
  request: ContainerRequest,
  facts: EngineFacts,
  init: boolean,
  joining?: Joining,
): Docker.ContainerCreateOptions {
  const settings = settingsOf(request, facts, init, joining);
  const variables = {
    HOME: request.user.home,
    ...(joining === undefined ? {} : proxyVariables(joining.addresses.gateway)),
    ...request.environment,
  };
  return {
    name: request.name,
    Image: request.image ?? '',
    Hostname: request.hostname,
    User: keeperOf(settings),
    WorkingDir: request.workdir,
    Entrypoint: ['sh', '-c', keeper],
    Cmd: [],
    StopSignal: 'SIGTERM',
    Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    Labels: { ...request.labels, [labels.tool]: '1', [settingsLabel]: JSON.stringify(settings) },
    // The image's own check would start the image's own program.
    Healthcheck: { Test: ['NONE'] },
    ...(joining === undefined ? {} : { NetworkingConfig: endpointOf(request, joining) }),
    HostConfig: {
      Init: init,
      ...networkOptions(request, joining),
      // Not Binds: these make a missing source, as root.
      Mounts: request.mounts.map(({ source, target, readOnly }) => ({
        Type: 'bind' as const,
        Source: source,
        Target: target,
        ReadOnly: readOnly,
        // What is mounted below the source on the host would appear writable inside.
        ...(readOnly ? { BindOptions: { Propagation: 'rprivate' as const, NonRecursive: true } } : {}),
      })),
      CapDrop: ['ALL'],
      CapAdd: request.root ? rootCapabilities : [],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: request.limits.pids ?? defaultPids,
      ...(request.limits.memory === undefined
        ? {}
        : { Memory: Math.round(request.limits.memory), MemorySwap: Math.round(request.limits.memory) }),
      ...(request.limits.cpus === undefined ? {} : { NanoCpus: Math.round(request.limits.cpus * 1e9) }),
      Ulimits: ulimits(facts),
      ShmSize: sharedMemory,
      ...(facts.podman && facts.rootless ? { UsernsMode: 'keep-id' } : {}),
    },
  };
}

/** With an allowlist names are asked of the gateway, through the engine's own resolver or not, and only as they are. */
function networkOptions({ name, network }: ContainerRequest, joining: Joining | undefined): Docker.HostConfig {
  if (joining === undefined) return { NetworkMode: modeOf(network) === 'open' ? 'bridge' : 'none' };
  const { addresses, sysctls } = joining;
  return { NetworkMode: name, Dns: [addresses.gateway], DnsSearch: ['.'], Sysctls: { ...sysctls } };
}

function endpointOf({ name }: ContainerRequest, { addresses }: Joining): { EndpointsConfig: Docker.EndpointsConfig } {
  return { EndpointsConfig: { [name]: { IPAMConfig: { IPv4Address: addresses.container } } } };
}

/**
 * Another uid than the execs', so that `kill -9 -1` there does not reach it. Where root is allowed it is root's: the engine
 * gives execs as root only the capabilities that the container's own process has.
 */
function keeperOf({ uid, root }: Settings): string {
  if (root) return '0:0';
  const id = uid === nobody ? nobody - 1 : nobody;
  return `${id}:${id}`;
}

/** Podman asks for more processes than an engine without CAP_SYS_RESOURCE may give, unless told a number. */
function ulimits(facts: EngineFacts): { Name: string; Soft: number; Hard: number }[] {
  const files = { Name: 'nofile', Soft: openFiles, Hard: openFiles };
  return facts.podman ? [files, { Name: 'nproc', Soft: openFiles, Hard: openFiles }] : [files];
}
