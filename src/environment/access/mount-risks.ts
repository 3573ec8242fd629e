/** Mounts that give away more than they seem to, and those that no approval makes safe. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { quoted } from '../../domain/visible.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { InsideLayout, Mount } from '../../runtime/runtime.ts';
import type { Workplace } from '../workplace.ts';

/** What a person should know before saying yes; a line each. */
export async function mountRisks({ surroundings }: Workplace, { source }: Mount): Promise<readonly string[]> {
  const risks: string[] = [];
  const sockets = await existing(engineSockets(surroundings));
  if (
    /(?:docker|podman|containerd|crio|buildkitd)[^/]*\.sock$/.test(source) ||
    sockets.some((each) => contains(source, each))
  ) {
    risks.push(`${quoted(source)} GIVES AWAY THE CONTAINER ENGINE: who reaches its socket is root on this machine.`);
  } else if ((await ifPresent(stat(source)))?.isSocket()) {
    risks.push(`${quoted(source)} is a socket: whatever listens there takes requests from inside.`);
  }
  const [home = surroundings.home] = await realPathsOf([surroundings.home]);
  if (contains(source, home)) risks.push(`${quoted(source)} is your home directory or holds it, keys and all.`);
  return risks;
}

function engineSockets({ env, uid }: Workplace['surroundings']): readonly string[] {
  const runtimeDirectory = env.XDG_RUNTIME_DIR || `/run/user/${uid}`;
  return [
    ...(env.DOCKER_HOST?.startsWith('unix://') ? [env.DOCKER_HOST.slice('unix://'.length)] : []),
    '/run/docker.sock',
    '/run/podman/podman.sock',
    '/run/containerd/containerd.sock',
    join(runtimeDirectory, 'docker.sock'),
    join(runtimeDirectory, 'podman/podman.sock'),
  ];
}

/**
 * A writable mount of the checkout, of git's directory or of what coppice keeps would let an agent write what the host
 * runs or believes. Throws `mount-refused` (kind `refused`).
 */
export async function refuseUnsafe(workplace: Workplace, mounts: readonly Mount[]): Promise<void> {
  const { repository, surroundings } = workplace;
  const common = repository.commonDirectory;
  const kept = await realPathsOf([
    ...(basename(common) === '.git' ? [dirname(common)] : [common]),
    ...(repository.worktree === null ? [] : [repository.worktree]),
    surroundings.dataDirectory,
    surroundings.configDirectory,
    surroundings.stateDirectory,
    surroundings.runtimeDirectory,
  ]);
  for (const { source, readOnly } of mounts) {
    const touched = readOnly ? undefined : kept.find((each) => contains(source, each) || contains(each, source));
    if (touched === undefined) continue;
    throw new CoppiceError(
      'refused',
      'mount-refused',
      `${quoted(source)} cannot be mounted writable: it would let the agent change ${quoted(touched)}.`,
      {
        hint: 'Mount it read-only, or another directory.',
        data: { source, protects: touched },
      },
    );
  }
}

/** Throws `mount-refused` for a mount over what the environment itself is made of. */
export function refuseOverlay(layout: InsideLayout, mounts: readonly Mount[]): void {
  const own = [layout.tree, layout.git, layout.base, layout.home];
  const clash = mounts.find(({ target }) => own.some((each) => contains(each, target) || contains(target, each)));
  if (clash === undefined) return;
  throw new CoppiceError(
    'refused',
    'mount-refused',
    `Nothing can be mounted at ${quoted(clash.target)}: the environment’s own directories are there.`,
    {
      hint: `Choose a target outside ${own.join(', ')}.`,
      data: { target: clash.target },
    },
  );
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(paths.map((path) => ifPresent(realpath(path))));
  return found.filter((path) => path !== undefined);
}

async function realPathsOf(paths: readonly string[]): Promise<readonly string[]> {
  return Promise.all(paths.map(async (path) => (await ifPresent(realpath(path))) ?? path));
}

function contains(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
