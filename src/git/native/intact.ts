/** Whether commits are whole, and where a branch has been: for finding the way back after a disk lost something. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isOid, type Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { HostGit } from '../host-git.ts';

/** Walks only what `known` do not reach. A pack that is cut off counts as if all of it were missing. */
export async function isIntact(git: HostGit, commit: Oid, known: readonly Oid[]): Promise<boolean> {
  const args = ['rev-list', '--objects', '--quiet', commit, ...(known.length === 0 ? [] : ['--not', ...known])];
  return (await git.run(args, { allow: [0, 1, 128] })).status === 0;
}

/** Read as the file it is: git's own commands stop at the first commit that is missing. */
export async function formerTips(git: HostGit, branch: RefName): Promise<readonly Oid[]> {
  const text = (await ifPresent(readFile(join(git.commonDirectory, 'logs', branch), 'latin1'))) ?? '';
  const tips = text.split('\n').flatMap((line) => {
    const after = line.split(' ')[1] ?? '';
    return isOid(after) && !/^0+$/.test(after) ? [after] : [];
  });
  return [...new Set(tips.reverse())];
}

/** A damaged object elsewhere is no reason to find none. */
export async function danglingCommits(git: HostGit): Promise<readonly Oid[]> {
  const args = ['fsck', '--connectivity-only', '--dangling', '--no-reflogs', '--no-progress'];
  const { stdout } = await git.run(args, { allow: [0, 1, 2, 3, 4, 5, 6, 7], timeout: 10 * 60_000 });
  return stdout
    .toString('latin1')
    .split('\n')
    .map((line) => /^dangling commit ([0-9a-f]+)$/.exec(line)?.[1] ?? '')
    .filter(isOid);
}
