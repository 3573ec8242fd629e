/**
 * Fills the directories of submodules in a fresh worktree with the files of the recorded commits, as far as the user's own
 * checkout has brought them here (`<common>/modules/<name>`). Without a repository of their own: no `.git` of the user's
 * is in reach of an environment, and what is done in them is kept apart. Their objects are borrowed, their configuration is
 * not read.
 */
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BytePath, bytesOf } from '../../domain/byte-path.ts';
import { hasCode } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { HostGit } from '../host-git.ts';
import { listTree } from '../native/list-tree.ts';
import { splitNul } from '../native/split-nul.ts';
import type { FilledSubmodules } from '../worktree.ts';
import { quoted } from './base-store.ts';
import { longTimeout } from './context.ts';

interface Level {
  readonly git: HostGit;
  /** Where this level's own submodules have their git directories. */
  readonly gitDirectory: string;
  readonly commit: Oid;
  /** The files of the commit. */
  readonly files: Buffer;
  /** Object directories to borrow from, besides the repository's. */
  readonly borrowed: readonly string[];
  readonly depth: number;
}

/** Submodules within submodules, which nobody has that many of; a chain of them ends. */
const deepest = 8;
const plain = ['core.sparseCheckout=false', 'index.sparse=false', 'core.splitIndex=false'];

export async function fillSubmodules(git: HostGit, tree: string, commit: Oid): Promise<FilledSubmodules> {
  // Nearly every repository has none.
  if ((await ifPresent(stat(join(tree, '.gitmodules')))) === undefined) return { filled: [], empty: [] };
  const files = Buffer.from(tree);
  return fillLevel({ git, gitDirectory: git.commonDirectory, commit, files, borrowed: [], depth: 0 });
}

async function fillLevel(level: Level): Promise<FilledSubmodules> {
  const { git, commit } = level;
  const call = { env: borrowing(level.borrowed) };
  const links = (await listTree(git, commit, { recursive: true }, call.env)).filter(({ mode }) => mode === '160000');
  if (links.length === 0) return { filled: [], empty: [] };
  const names = await namesIn(level);
  const filled: { path: BytePath; commit: Oid }[] = [];
  const empty: BytePath[] = [];
  for (const { path, oid } of links) {
    const name = names.get(path);
    if (name !== undefined && (await fillOne(level, path, { name, oid }))) filled.push({ path, commit: oid });
    else empty.push(path);
  }
  return { filled, empty };
}

async function fillOne(
  level: Level,
  path: BytePath,
  { name, oid }: { readonly name: string; readonly oid: Oid },
): Promise<boolean> {
  const { git } = level;
  const gitDirectory = join(level.gitDirectory, 'modules', name);
  const borrowed = [...level.borrowed, join(gitDirectory, 'objects')];
  if ((await ifPresent(stat(join(gitDirectory, 'objects')))) === undefined) return false;
  const files = Buffer.concat([level.files, Buffer.from('/'), bytesOf(path)]);
  const scratch = join(git.commonDirectory, 'coppice', 'tmp');
  await mkdir(scratch, { recursive: true });
  const directory = await mkdtemp(join(scratch, 'submodule-'));
  try {
    const env = { ...borrowing(borrowed), GIT_INDEX_FILE: join(directory, 'index') };
    const found = await git.run(['cat-file', '-e', `${oid}^{commit}`], { env, allow: [0, 1, 128] });
    if (found.status !== 0) return false;
    await mkdir(files, { recursive: true });
    const workTree = files.toString('utf8');
    const call = { workTree, env, config: plain, timeout: longTimeout };
    await git.run(['read-tree', '-u', '--reset', '--no-recurse-submodules', oid], call);
  } catch (error) {
    if (!hasCode(error, 'git-failed')) throw error;
    // Not all of it is here: better none than half.
    await rm(files, { recursive: true, force: true });
    await mkdir(files);
    return false;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  if (level.depth < deepest) {
    await fillLevel({ git, gitDirectory, commit: oid, files, borrowed, depth: level.depth + 1 });
  }
  return true;
}

/** By path, as the commit's `.gitmodules` says. A name that leads elsewhere is none. */
async function namesIn({ git, commit, borrowed }: Level): Promise<ReadonlyMap<string, string>> {
  const args = ['config', `--blob=${commit}:.gitmodules`, '--null', '--get-regexp', '^submodule\\..*\\.path$'];
  const { stdout } = await git.run(args, { env: borrowing(borrowed), allow: [0, 1, 128] });
  const names = new Map<string, string>();
  for (const item of splitNul(stdout)) {
    const text = item.toString('utf8');
    const end = text.indexOf('\n');
    const name = text.slice('submodule.'.length, end - '.path'.length);
    const safe = name !== '' && !name.startsWith('/') && !name.split(/[/\\]/).includes('..');
    if (end > 0 && safe) names.set(item.subarray(Buffer.byteLength(text.slice(0, end + 1))).toString('latin1'), name);
  }
  return names;
}

function borrowing(directories: readonly string[]): Readonly<Record<string, string>> {
  if (directories.length === 0) return {};
  return { GIT_ALTERNATE_OBJECT_DIRECTORIES: directories.map(quoted).join(':') };
}
