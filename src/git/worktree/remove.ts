/** Takes away an environment's registration and directories: out of sight by renames first, so that its name is free at once. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, rename, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { EnvironmentDirectories } from '../../domain/directories.ts';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import { errnoOf, ifPresent } from '../../platform/errno.ts';
import { registrationDirectory, scratchDirectory } from './registration.ts';
import { removeTree } from './remove-tree.ts';

/**
 * Throws `worktree-elsewhere` (kind `refused`) when the registration belongs to another directory that exists, and
 * `cannot-remove` (kind `failed`; data: `residue`, paths) when files stay, after everything else is gone.
 */
export async function removeWorktree(
  commonDirectory: string,
  name: EnvironmentName,
  directories: EnvironmentDirectories,
): Promise<void> {
  const registration = registrationDirectory(commonDirectory, name);
  await refuseForeign(registration, name, directories);
  const retired = await retireRegistration(commonDirectory, registration);
  const residue = [...(await removeTree(retired)), ...(await removeRoot(name, directories))];
  if (residue.length === 0) return;
  const [first = ''] = residue;
  throw new CoppiceError(
    'failed',
    'cannot-remove',
    `Some files of environment ${name} could not be removed: ${first}.`,
    {
      hint: `They belong to another user. Remove them with that user's rights: sudo rm -r ${first}`,
      data: { residue },
    },
  );
}

/** Two installations may share a repository; and a user may have moved a worktree of ours away. */
async function refuseForeign(registration: string, name: EnvironmentName, directories: EnvironmentDirectories) {
  const recorded = (await ifPresent(readFile(join(registration, 'gitdir'), 'utf8')))?.trimEnd();
  if (recorded === undefined || recorded === join(directories.tree, '.git')) return;
  const actual = await ifPresent(realpath(dirname(recorded)));
  if (actual === undefined || actual === (await ifPresent(realpath(directories.tree)))) return;
  throw new CoppiceError('refused', 'worktree-elsewhere', `The worktree of environment ${name} is at ${actual}.`, {
    hint: `Run the command with the data directory it was made with, or remove it: git worktree remove --force --force ${actual}`,
    data: { worktree: actual },
  });
}

/** Beside the repository's own directories: in `worktrees` git would still list it. */
async function retireRegistration(commonDirectory: string, registration: string): Promise<string> {
  const retired = await scratchDirectory(commonDirectory, 'removing');
  await ifPresent(rename(registration, retired));
  await removeIfEmpty(dirname(registration));
  return retired;
}

async function removeRoot(name: EnvironmentName, { root }: EnvironmentDirectories): Promise<readonly string[]> {
  if (basename(root) !== name) {
    throw new CoppiceError('bug', 'foreign-directory', `${root} is not the directory of environment ${name}.`);
  }
  const residue: string[] = [];
  for (const path of [...(await leftovers(name, root)), await moveAside(name, root)]) {
    residue.push(...(await removeTree(path)));
  }
  return residue;
}

/** '~' cannot be in a name, so no environment is mistaken for the rest of another. */
function asidePrefix(name: EnvironmentName): string {
  return `.removing~${name}~`;
}

async function moveAside(name: EnvironmentName, root: string): Promise<string> {
  const aside = join(dirname(root), asidePrefix(name) + randomBytes(6).toString('hex'));
  try {
    await rename(root, aside);
    return aside;
  } catch (error) {
    // A mount point, or a parent we may not write: then where it is.
    if (!['ENOENT', 'EACCES', 'EPERM', 'EBUSY', 'EXDEV'].includes(errnoOf(error) ?? '')) throw error;
    return root;
  }
}

/** What an earlier removal could not finish. */
async function leftovers(name: EnvironmentName, root: string): Promise<readonly string[]> {
  const siblings = (await ifPresent(readdir(dirname(root)))) ?? [];
  return siblings.filter((entry) => entry.startsWith(asidePrefix(name))).map((entry) => join(dirname(root), entry));
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EACCES'].includes(errnoOf(error) ?? '')) throw error;
  }
}

/** After a failed creation: only what it made. */
export async function undoCreation(
  registration: string | undefined,
  directories: EnvironmentDirectories,
): Promise<void> {
  if (registration !== undefined) {
    await removeTree(registration);
    await removeIfEmpty(dirname(registration));
  }
  await removeTree(directories.tree);
  await removeIfEmpty(directories.root);
}

/** Claims the place of a new tree, which may be an empty directory already: throws `directory-exists` (kind `refused`) when something is there. */
export async function claimTree(directories: EnvironmentDirectories): Promise<void> {
  await mkdir(dirname(dirname(directories.root)), { recursive: true, mode: 0o700 });
  await mkdir(directories.root, { recursive: true });
  try {
    await mkdir(directories.tree);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    if ((await readdir(directories.tree)).length === 0) return;
    throw new CoppiceError('refused', 'directory-exists', `${directories.tree} exists already.`, {
      hint: 'It may hold files of an earlier environment: move it away, or remove that environment.',
      data: { directory: directories.tree },
      cause: error,
    });
  }
}
