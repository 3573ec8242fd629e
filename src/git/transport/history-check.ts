/**
 * A history that is cut off inside (the agent fetched with `--depth`) must not come into a repository that is not cut off
 * there: its commits would name parents nobody has. Git's own check accepts the cut, so this one is made without it.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { HostGit } from '../host-git.ts';
import type { Fetched } from '../transport.ts';
import type { Quarantine } from './quarantine.ts';

/** Leaves out branches with holes. Throws `transport-failed` (kind `unavailable`) when HEAD has some. */
export async function withoutHoles(quarantine: Quarantine, git: HostGit, fetched: Fetched): Promise<Fetched> {
  if (!(await forgetNewCuts(quarantine))) return fetched;
  const whole = new Map<string, Oid>();
  for (const [branch, oid] of fetched.branches) if (await isWhole(quarantine, git, oid)) whole.set(branch, oid);
  if (fetched.head !== undefined && !(await isWhole(quarantine, git, fetched.head))) {
    throw new CoppiceError(
      'unavailable',
      'transport-failed',
      'HEAD in the environment has a history that is cut off.',
      {
        hint: 'Inside, complete it with `git fetch --unshallow`, or go back to a commit of this repository.',
        data: { head: fetched.head },
      },
    );
  }
  return { head: fetched.head, branches: whole };
}

/** Back to the cuts of the user's own repository; false when there are no others. */
async function forgetNewCuts({ directory, shallow }: Quarantine): Promise<boolean> {
  const path = join(directory, 'shallow');
  const now = await ifPresent(readFile(path));
  if (now === undefined || (shallow !== undefined && now.equals(shallow))) return false;
  if (shallow === undefined) await rm(path);
  else await writeFile(path, shallow);
  return true;
}

async function isWhole({ directory }: Quarantine, git: HostGit, oid: Oid): Promise<boolean> {
  const args = ['rev-list', '--objects', '--quiet', oid, '--not', '--alternate-refs'];
  const { status } = await git.run(args, { gitDirectory: directory, allow: [0, 128] });
  return status === 0;
}
