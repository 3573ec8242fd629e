/** What a delivery would overwrite: changed tracked files, and files git does not track. Only asks; changes nothing. */
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BytePath, bytePathFromBuffer, bytesOf } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { HostGit } from '../host-git.ts';
import { fieldsOf, splitNul } from '../native/split-nul.ts';

export interface TouchedPath {
  readonly path: BytePath;
  readonly kind: 'added' | 'modified' | 'deleted';
}

/** Every path that differs between two trees. */
export async function touchedPaths(git: HostGit, before: Oid, after: Oid): Promise<readonly TouchedPath[]> {
  const args = ['diff-tree', '-r', '-z', '--no-renames', '--name-status', '--ignore-submodules=none', before, after];
  const fields = fieldsOf((await git.run(args)).stdout);
  const touched: TouchedPath[] = [];
  while (!fields.done) {
    const status = fields.text();
    const path = bytePathFromBuffer(fields.next());
    touched.push({ path, kind: status === 'A' ? 'added' : status === 'D' ? 'deleted' : 'modified' });
  }
  return touched;
}

/** Touched paths that are changed, staged, unmerged or taken by an untracked (also: ignored) file in `worktree`. */
export async function pathsInTheWay(
  git: HostGit,
  worktree: string,
  touched: readonly TouchedPath[],
): Promise<readonly BytePath[]> {
  const changed = await changedPaths(git, worktree);
  const dirty = touched.map(({ path }) => path).filter((path) => changed.has(path));
  const added = touched.filter(({ kind }) => kind === 'added').map(({ path }) => path);
  const taken = await untrackedAt(git, worktree, added);
  return [...new Set([...dirty, ...taken])].sort();
}

/** `status --porcelain=v2 -z` of tracked files, without writing the index. */
async function changedPaths(git: HostGit, worktree: string): Promise<ReadonlySet<BytePath>> {
  const args = ['status', '--porcelain=v2', '-z', '--untracked-files=no', '--no-renames', '--ignore-submodules=dirty'];
  const { stdout } = await git.runAsUser(worktree, args, { env: { GIT_OPTIONAL_LOCKS: '0' } });
  return new Set(
    splitNul(stdout)
      .map(pathOfStatus)
      .filter((path) => path !== undefined),
  );
}

/** `1` lines have eight fields before the path, `u` lines (unmerged) ten (git-status(1)). */
function pathOfStatus(line: Buffer): BytePath | undefined {
  const skip = line[0] === 0x31 ? 8 : line[0] === 0x75 ? 10 : undefined;
  if (skip === undefined) return undefined;
  let at = 0;
  for (let field = 0; field < skip; field++) at = line.indexOf(0x20, at) + 1;
  return bytePathFromBuffer(line.subarray(at));
}

/** Files git does not track at these paths, below them, or where their directories should be. */
async function untrackedAt(git: HostGit, worktree: string, paths: readonly BytePath[]): Promise<readonly BytePath[]> {
  const present = await Promise.all(paths.map((path) => obstacle(worktree, path)));
  const asked = [...new Set(present.filter((path) => path !== undefined))];
  if (asked.length === 0) return [];
  const untracked: BytePath[] = [];
  // As arguments, because ls-files takes no file of paths: so many at a time stay below what a command line holds.
  for (let at = 0; at < asked.length; at += 500) {
    const some = asked.slice(at, at + 500).map((path) => bytesOf(path).toString('utf8'));
    const { stdout } = await git.runAsUser(worktree, ['ls-files', '-z', '--others', '--full-name', '--', ...some], {
      env: { GIT_LITERAL_PATHSPECS: '1', GIT_OPTIONAL_LOCKS: '0' },
    });
    untracked.push(...splitNul(stdout).map(bytePathFromBuffer));
  }
  return untracked;
}

/** The path itself or the nearest of its parents that exists and is no directory. */
async function obstacle(worktree: string, path: BytePath): Promise<BytePath | undefined> {
  for (let at: string = path; at !== '.'; at = dirname(at)) {
    const found = await ifPresent(lstat(Buffer.concat([Buffer.from(join(worktree, '/')), bytesOf(at as BytePath)])));
    if (found !== undefined) return at === path || !found.isDirectory() ? (at as BytePath) : undefined;
  }
  return undefined;
}
