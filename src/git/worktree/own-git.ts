/**
 * An agent's own git directory, written by hand and moved into place whole: own HEAD, branch, index, configuration and
 * hooks; the base's objects borrowed. Once an agent has had it, the host never runs git on it.
 */
import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { EnvironmentDirectories } from '../../domain/directories.ts';
import { parseEnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { errnoOf, ifPresent } from '../../platform/errno.ts';
import type { OwnGitRequest } from '../worktree.ts';
import { holdsBase, packHistory, storeOf } from './base-store.ts';
import { beginMerge } from './begin-merge.ts';
import { configText } from './config-text.ts';
import type { WorktreeContext } from './context.ts';
import { bringIndexTo } from './index-file.ts';
import { isHookOfLfs } from './lfs-filter.ts';
import { readLocalConfig } from './local-config.ts';
import { ownSettings } from './own-config.ts';
import { registrationDirectory } from './registration.ts';
import { readSparse, writePatterns } from './sparse.ts';

/** The file a runtime mounts, read-only, over the `.git` of the tree. */
export function gitFilePath(directories: EnvironmentDirectories): string {
  return join(directories.root, 'gitfile');
}

/** Throws `own-git-exists` (kind `refused`) rather than replace what may hold an agent's commits. */
export async function writeOwnGit(context: WorktreeContext, request: OwnGitRequest): Promise<void> {
  const { directories } = request;
  const draft = join(directories.root, `.git-${randomBytes(6).toString('hex')}`);
  try {
    await fill(draft, context, request);
    await moveInto(draft, directories.git);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await placeGitFile(request);
  await introduceUser(request);
}

/**
 * In the home, for whatever other repositories an agent makes or clones: there too a commit has an author. What somebody
 * has written there by then stays.
 */
async function introduceUser({ directories, author }: OwnGitRequest): Promise<void> {
  const settings = configText([
    ['user.name', author.name],
    ['user.email', author.email],
  ]);
  await mkdir(directories.home, { recursive: true, mode: 0o700 });
  try {
    await writeFile(join(directories.home, '.gitconfig'), settings, { flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

async function fill(draft: string, context: WorktreeContext, request: OwnGitRequest): Promise<void> {
  const { branch, head, inside, author } = request;
  const common = context.git.commonDirectory;
  const registration = registrationDirectory(common, parseEnvironmentName(basename(request.directories.root)));
  const user = await readLocalConfig(context.git, registration);
  const sparse = await readSparse(user, registration);
  for (const part of ['objects/info', 'objects/pack', 'refs/tags', 'info', dirname(branch)]) {
    await mkdir(join(draft, part), { recursive: true });
  }
  const settings = ownSettings({ objectFormat: context.objectFormat, author, tree: inside.tree, user, sparse });
  await writeFile(join(draft, 'HEAD'), `ref: ${branch}\n`);
  await writeFile(join(draft, branch), `${head}\n`);
  await writeFile(join(draft, 'config'), configText(settings));
  await writeFile(join(draft, 'objects/info/alternates'), `${inside.base}/objects\n`);
  await copyIfPresent(join(storeOf(context), 'shallow'), join(draft, 'shallow'));
  await copyIfPresent(join(common, 'info/exclude'), join(draft, 'info/exclude'));
  if (sparse !== undefined) await writePatterns(draft, sparse);
  if (user.get('core.hookspath') === undefined) await copyHooks(join(common, 'hooks'), join(draft, 'hooks'));
  // Commits of an earlier life (`restore`, `fork`) belong to this environment alone, so not into the shared store.
  await takeHistory(context, draft, request.merging?.left ?? head);
  // The same files, so what the checkout's index knows of them holds for the agent's too.
  await copyIfPresent(join(registration, 'index'), join(draft, 'index'));
  await bringIndexTo(context.git, registration, head, join(draft, 'index'));
  if (request.merging === undefined) return;
  await takeHistory(context, draft, request.merging.theirs);
  await beginMerge(context, registration, draft, head, request.merging);
}

async function takeHistory(context: WorktreeContext, draft: string, commit: Oid): Promise<void> {
  if (!(await holdsBase(context, commit))) await packHistory(context, [commit], join(draft, 'objects/pack'));
}

async function moveInto(draft: string, target: string): Promise<void> {
  try {
    await rename(draft, target);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error;
    throw new CoppiceError('refused', 'own-git-exists', `There is a git directory at ${target} already.`, {
      hint: 'It may hold commits: bring them out, then remove the environment and restore it.',
      data: { directory: target },
      cause: error,
    });
  }
}

async function placeGitFile({ directories, inside, linkTree }: OwnGitRequest): Promise<void> {
  const content = `gitdir: ${inside.git}\n`;
  const target = linkTree ? join(directories.tree, '.git') : gitFilePath(directories);
  const draft = join(directories.root, `.gitfile-${randomBytes(6).toString('hex')}`);
  await writeFile(draft, content, { mode: 0o444 });
  await rename(draft, target);
}

/** Only ordinary executable files: a link would lead to nowhere inside, and samples are not hooks. Those of LFS fail without it. */
async function copyHooks(from: string, to: string): Promise<void> {
  const entries = (await ifPresent(readdir(from, { withFileTypes: true }))) ?? [];
  await mkdir(to, { recursive: true });
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.endsWith('.sample')) continue;
    const source = join(from, entry.name);
    if (((await stat(source)).mode & 0o100) === 0 || isHookOfLfs(await readFile(source, 'latin1'))) continue;
    await copyFile(source, join(to, entry.name));
    await chmod(join(to, entry.name), 0o755);
  }
}

async function copyIfPresent(from: string, to: string): Promise<void> {
  await ifPresent(copyFile(from, to));
}
