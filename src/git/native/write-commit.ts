/** Writes a commit object with exactly the people, times and words it is given. */
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { GitCall, HostGit } from '../host-git.ts';
import type { NewCommit, Person } from '../repository.ts';
import { durable } from './write-tree.ts';

/** `userDirectory` is where the user's signing configuration applies. Throws `signing-failed` (kind `failed`). */
export async function writeCommit(
  git: HostGit,
  place: { readonly directory: string; readonly gitDirectory: string },
  commit: NewCommit,
): Promise<Oid> {
  const args = [
    'commit-tree',
    ...(commit.sign ? ['-S'] : []),
    commit.tree,
    ...commit.parents.flatMap((oid) => ['-p', oid]),
  ];
  const call: GitCall = {
    input: commit.message,
    config: [...durable, 'i18n.commitEncoding=UTF-8'],
    env: { ...variables('AUTHOR', commit.author), ...variables('COMMITTER', commit.committer) },
  };
  if (!commit.sign) return parseOid(await git.text(args, call));
  try {
    const { stdout } = await git.runAsUser(place.directory, args, { ...call, gitDirectory: place.gitDirectory });
    return parseOid(stdout.toString('latin1').trim());
  } catch (error) {
    if (!hasCode(error, 'git-failed')) throw error;
    throw new CoppiceError('failed', 'signing-failed', 'The commit could not be signed.', {
      hint: 'Check user.signingKey and gpg.format, and that gpg or the ssh agent can use the key: `git commit -S` must work.',
      data: error.data,
      cause: error,
    });
  }
}

function variables(role: 'AUTHOR' | 'COMMITTER', person: Person): Record<string, string> {
  const { seconds = Math.floor(Date.now() / 1000), zone = zoneOf(new Date(seconds * 1000)) } = person;
  return {
    [`GIT_${role}_NAME`]: person.name,
    [`GIT_${role}_EMAIL`]: person.email,
    [`GIT_${role}_DATE`]: `@${seconds} ${zone}`,
  };
}

/** The local zone as git writes it: `+0530`. */
function zoneOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}${two(Math.abs(minutes) % 60)}`;
}
