/** What of a spec reaches out of the container: mounts of the host's files, secrets, root inside. Pure. */
import type { Spec } from './spec.ts';

export interface MountRequest {
  /** As written: absolute, `~/…`, or relative to the top of the repository. */
  readonly source: string;
  /** Inside. */
  readonly target: string;
  readonly readOnly: boolean;
}

export interface SecretRequest {
  /** A reference, never a value. */
  readonly from: string;
  /** `file`: the variable is the path of a file with the value. */
  readonly as: 'variable' | 'file';
}

export interface HostRequest {
  readonly mounts: readonly MountRequest[];
  /** By the name of the variable. */
  readonly secrets: Readonly<Record<string, SecretRequest>>;
  readonly root: boolean;
}

export function hostRequestOf({ mounts, secrets, root }: Pick<Spec, 'mounts' | 'secrets' | 'root'>): HostRequest {
  return {
    mounts: (mounts ?? []).map(({ source, target, readOnly }) => ({ source, target, readOnly: readOnly ?? true })),
    secrets: Object.fromEntries(
      Object.entries(secrets ?? {}).map(([name, secret]) => [
        name,
        typeof secret === 'string'
          ? { from: secret, as: 'variable' }
          : { from: secret.from, as: secret.as ?? 'variable' },
      ]),
    ),
    root: root ?? false,
  };
}

/** Later ones win: a secret by its name, a mount by where it appears inside. */
export function joinRequests(requests: readonly HostRequest[]): HostRequest {
  const mounts = new Map(requests.flatMap((each) => each.mounts).map((mount) => [mount.target, mount]));
  return {
    mounts: [...mounts.values()],
    secrets: Object.assign({}, ...requests.map(({ secrets }) => secrets)),
    root: requests.some(({ root }) => root),
  };
}
