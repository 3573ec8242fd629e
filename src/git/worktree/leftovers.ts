/** What interrupted creations and removals left lying about: out of git's sight, and of no use to anybody. */
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { repositoryDirectory } from '../../domain/directories.ts';
import { type EnvironmentName, isEnvironmentName } from '../../domain/environment-name.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { WorktreeContext } from './context.ts';
import { removeTree } from './remove-tree.ts';

/** Milliseconds. Whoever is at work on one now, in another process, is done with it by then. */
const settled = 60 * 60_000;

/** Directories under names that only this adapter gives, and that nobody has touched for an hour. */
export async function listLeftovers({ git, dataDirectory, repositoryId }: WorktreeContext): Promise<readonly string[]> {
  const scratch = join(git.commonDirectory, 'coppice');
  const own = repositoryDirectory(dataDirectory, repositoryId);
  const candidates = [
    ...(await below(scratch, /^(?:removing|new)-[0-9a-f]{12}$/)),
    ...(await below(join(scratch, 'tmp'), /^apply-/)),
    ...(await below(own, /^\.removing~[^~]+~[0-9a-f]{12}$/)),
  ];
  const old: string[] = [];
  for (const path of candidates) {
    const found = await ifPresent(lstat(path));
    if (found !== undefined && Date.now() - Math.max(found.ctimeMs, found.mtimeMs) > settled) old.push(path);
  }
  return old.sort();
}

/** Returns what could not be removed. */
export async function removeLeftover(context: WorktreeContext, path: string): Promise<readonly string[]> {
  return (await listLeftovers(context)).includes(path) ? removeTree(path) : [];
}

async function below(directory: string, names: RegExp): Promise<readonly string[]> {
  const entries = (await ifPresent(readdir(directory))) ?? [];
  return entries.filter((entry) => names.test(entry)).map((entry) => join(directory, entry));
}

/** Registrations that lead into this installation's directory, to a tree that is not there. */
export async function abandonedRegistrations(context: WorktreeContext): Promise<readonly EnvironmentName[]> {
  const { git, dataDirectory, repositoryId } = context;
  const own = repositoryDirectory(dataDirectory, repositoryId);
  const places = new Set([own, (await ifPresent(realpath(own))) ?? own]);
  const found: EnvironmentName[] = [];
  for (const registration of await below(join(git.commonDirectory, 'worktrees'), /^coppice-/)) {
    const name = basename(registration).slice('coppice-'.length);
    const recorded = (await ifPresent(readFile(join(registration, 'gitdir'), 'utf8')))?.trimEnd();
    if (!isEnvironmentName(name) || recorded === undefined) continue;
    const [file, tree, root] = [basename(recorded), dirname(recorded), dirname(dirname(recorded))];
    const ours = file === '.git' && basename(tree) === 'tree' && basename(root) === name && places.has(dirname(root));
    if (ours && (await ifPresent(lstat(root))) === undefined) found.push(name);
  }
  return found;
}
