/**
 * Git's registration of a linked worktree (gitrepository-layout(5)), written by hand: `git worktree add` would take a lock
 * on the shared configuration, on which parallel creations fail, and would run the user's post-checkout hook.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registrationId } from '../../domain/directories.ts';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { RefName } from '../../domain/ref-name.ts';
import { errnoOf } from '../../platform/errno.ts';
import type { LocalConfig } from './local-config.ts';
import { type Sparse, writeSparseForWorktree } from './sparse.ts';

export function registrationDirectory(commonDirectory: string, name: EnvironmentName): string {
  return join(commonDirectory, 'worktrees', registrationId(name));
}

/** A directory beside the repository's own for half-made and half-removed things: same file system, out of git's sight. */
export async function scratchDirectory(commonDirectory: string, purpose: string): Promise<string> {
  const parent = join(commonDirectory, 'coppice');
  await mkdir(parent, { recursive: true });
  return join(parent, `${purpose}-${randomBytes(6).toString('hex')}`);
}

export interface Registration {
  readonly name: EnvironmentName;
  readonly branch: RefName;
  /** Real path of the worktree's files. */
  readonly tree: string;
  readonly config: LocalConfig;
  readonly sparse: Sparse | undefined;
}

/**
 * Appears under its name at once and locked, so that a `git worktree prune` at the same moment leaves it alone.
 * Throws `worktree-exists` (kind `refused`).
 */
export async function register(commonDirectory: string, registration: Registration): Promise<string> {
  const target = registrationDirectory(commonDirectory, registration.name);
  const draft = await scratchDirectory(commonDirectory, 'new');
  try {
    await mkdir(draft);
    await writeFile(join(draft, 'HEAD'), `ref: ${registration.branch}\n`);
    await writeFile(join(draft, 'commondir'), '../..\n');
    await writeFile(join(draft, 'gitdir'), `${registration.tree}/.git\n`);
    await writeFile(join(draft, 'locked'), `coppice environment ${registration.name}\n`);
    if (registration.sparse !== undefined) {
      await writeSparseForWorktree(registration.config, draft, registration.sparse);
    }
    await moveInto(draft, target, registration.name);
    return target;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function moveInto(draft: string, target: string, name: EnvironmentName): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await mkdir(join(target, '..'), { recursive: true });
    try {
      return await rename(draft, target);
    } catch (error) {
      const code = errnoOf(error);
      // Git removes an empty `worktrees` directory with the last worktree in it: it may have gone under our feet.
      if (code === 'ENOENT' && attempt < 10) continue;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      throw new CoppiceError('refused', 'worktree-exists', `A worktree of environment ${name} is registered already.`, {
        hint: `Remove what is left of it with \`coppice remove ${name}\`.`,
        data: { registration: target },
        cause: error,
      });
    }
  }
}
