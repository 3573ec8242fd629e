/** What a new environment is made of: options first, then the repository's file, then the user's settings. Pure. */
import type { ResolvedSpec } from '../domain/environment.ts';
import { CoppiceError } from '../domain/error.ts';
import { hostRequestOf, joinRequests } from '../domain/host-access.ts';
import type { Limits, RuntimeKind, Spec } from '../domain/spec.ts';
import { environmentFile } from './environment-file.ts';
import { type ResolvedNetwork, resolveNetwork } from './network.ts';
import type { UserSettings } from './settings.ts';

export interface Machine {
  /** Bytes. */
  readonly memory: number;
  readonly cpus: number;
  /** Whether a container engine answers. */
  readonly engineAvailable: boolean;
}

export interface SpecSources {
  readonly flags: Spec;
  readonly file: Spec;
  readonly settings: UserSettings;
  readonly machine: Machine;
}

/** Has git, a shell and the tools most agents want. */
export const defaultImage = 'node:22-bookworm';

/** More than a build needs, less than what a fork bomb needs to stop a machine. */
const defaultPids = 4096;

/** The runtime somebody asked for, or undefined: then it is docker where an engine answers. */
export function askedRuntime({ flags, file, settings }: Omit<SpecSources, 'machine'>): RuntimeKind | undefined {
  return flags.runtime ?? file.runtime ?? settings.runtime;
}

/**
 * Limits and variables are joined key by key. Throws `no-images` (kind `usage`) for an image asked of the sandbox by
 * option, `engine-unreachable` when the repository's image would have to be ignored because no engine answers.
 */
export function resolveSpec(sources: SpecSources): ResolvedSpec {
  const { flags, file, settings, machine } = sources;
  const asked = askedRuntime(sources);
  const runtime = asked ?? (machine.engineAvailable ? 'docker' : 'sandbox');
  return {
    runtime,
    image:
      runtime === 'sandbox' ? noImage(sources, asked) : (flags.image ?? file.image ?? settings.image ?? defaultImage),
    limits: { ...defaultLimits(machine), ...settings.limits, ...file.limits, ...flags.limits },
    network: networkOf(sources).network,
    environment: { ...file.environment, ...flags.environment },
    ...hostAccess(sources),
    setup: flags.setup ?? file.setup ?? null,
    ...(file.merge === undefined && flags.merge === undefined ? {} : { merge: { ...file.merge, ...flags.merge } }),
    ...heldBack(file.hold, flags.hold),
  };
}

function networkOf({ flags, file, settings }: Omit<SpecSources, 'machine'>): ResolvedNetwork {
  return resolveNetwork({ flags: flags.network, file: file.network, settings: settings.network });
}

/** A sentence about what the repository asks of the network and does not get; undefined where it gets all. */
export function networkLeftOut(sources: Omit<SpecSources, 'machine'>): string | undefined {
  const { leftOut } = networkOf(sources);
  const hosts = leftOut.filter((each) => each !== 'open' && each !== 'allowlist');
  if (leftOut.length === 0) return undefined;
  if (hosts.length === 0) {
    return `${environmentFile} asks for the network ${leftOut.join()}, which your settings do not give. --network ${leftOut.join()} does.`;
  }
  const flags = hosts.map((host) => `--allow-host ${host}`).join(' ');
  return `${environmentFile} asks for hosts that your settings do not allow: ${hosts.join(', ')}. ${flags} allows them.`;
}

/** A secret or a mount of the options takes the place of one of the file with the same name or target. */
function hostAccess({ flags, file, settings }: SpecSources): Pick<ResolvedSpec, 'root' | 'secrets' | 'mounts'> {
  const { secrets, mounts } = joinRequests([settings, file, flags].map(hostRequestOf));
  return {
    root: flags.root ?? file.root ?? false,
    ...(Object.keys(secrets).length === 0 ? {} : { secrets: { ...secrets } }),
    ...(mounts.length === 0 ? {} : { mounts: [...mounts] }),
  };
}

function heldBack(file: Spec['hold'], flags: Spec['hold']): Pick<ResolvedSpec, 'hold'> {
  const joined = { ...file, ...flags, allow: [...(file?.allow ?? []), ...(flags?.allow ?? [])] };
  const { allow, ...limits } = joined;
  return allow.length === 0 && Object.keys(limits).length === 0 ? {} : { hold: joined };
}

function defaultLimits(machine: Machine): Limits {
  return { memory: Math.floor(machine.memory / 2), cpus: machine.cpus, pids: defaultPids };
}

function noImage({ flags, file }: SpecSources, asked: RuntimeKind | undefined): null {
  if (flags.image !== undefined) {
    throw new CoppiceError(
      'usage',
      'no-images',
      `The sandbox runtime has no images, so it cannot use ${flags.image}.`,
      {
        hint: 'Use --runtime docker, or leave the image out.',
        data: { image: flags.image },
      },
    );
  }
  if (asked === undefined && file.image !== undefined) {
    const sentence = `${environmentFile} asks for the image ${file.image}, but no container engine answers.`;
    throw new CoppiceError('unavailable', 'engine-unreachable', sentence, {
      hint: 'Start Docker or Podman; or use --runtime sandbox to do without the image.',
      data: { image: file.image },
    });
  }
  return null;
}
