/** Brings the host's index of a worktree along with the branch, and keeps a sparse checkout sparse. */
import { lstat, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Oid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { HostGit } from '../host-git.ts';
import { bringIndexTo } from './index-file.ts';

/** Throws `index-locked` like `bringIndexTo`. */
export async function refreshIndex(git: HostGit, registration: string, tip: Oid): Promise<void> {
  const sparse = (await ifPresent(stat(join(registration, 'info/sparse-checkout')))) !== undefined;
  const added = sparse ? await newPaths(git, registration, tip) : [];
  await bringIndexTo(git, registration, tip);
  if (added.length > 0) await skipAbsent(git, registration, added);
}

/** NUL-separated paths that `tip` has and the index does not. */
async function newPaths(git: HostGit, registration: string, tip: Oid): Promise<readonly Buffer[]> {
  const args = ['diff-index', '--cached', '--no-renames', '--diff-filter=D', '--name-only', '-z', tip];
  const { stdout } = await git.run(args, { gitDirectory: registration });
  return splitAtNul(stdout);
}

/**
 * Git marks entries outside of the patterns only when it writes files as well. The branch equals the tree, so what it has
 * and the tree lacks is outside. Only asks whether something is there, and only of new paths.
 */
async function skipAbsent(git: HostGit, registration: string, paths: readonly Buffer[]): Promise<void> {
  const tree = dirname((await readFile(join(registration, 'gitdir'), 'utf8')).trimEnd());
  const absent: Buffer[] = [];
  for (const path of paths) {
    const found = await ifPresent(lstat(Buffer.concat([Buffer.from(`${tree}/`), path])));
    if (found === undefined) absent.push(path, Buffer.from([0]));
  }
  if (absent.length === 0) return;
  const input = Buffer.concat(absent);
  await git.run(['update-index', '--skip-worktree', '-z', '--stdin'], {
    gitDirectory: registration,
    workTree: tree,
    input,
  });
}

function splitAtNul(bytes: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0, end = bytes.indexOf(0); end >= 0; start = end + 1, end = bytes.indexOf(0, start)) {
    parts.push(bytes.subarray(start, end));
  }
  return parts;
}
