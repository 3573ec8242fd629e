/** Secrets in commits that an agent made with git: told wherever work is looked at, and kept from being handed on. */
import { textOf } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import { type Oid, shortOid } from '../domain/oid.ts';
import type { ChangeSearch, Leak } from '../git/leaks.ts';
import { type Environment, holdOf } from './environment.ts';
import type { Workplace } from './workplace.ts';

/** In the environment's own commits, as long as nothing of the user's has them. */
export async function findLeaks(workplace: Workplace, environment: Environment): Promise<readonly Leak[]> {
  const { at } = environment;
  if (at.head === at.base) return [];
  return searchCommits(workplace, environment, [at.base]);
}

/** Whether anything in the commits that `head` has and `without` has not looks like a secret, to nobody in particular. */
export async function anyLeaks(workplace: Workplace, { name }: Environment, head: Oid, without: Oid): Promise<boolean> {
  return (await workplace.leaks.inCommits({ name, head, without: [without], allow: [] })).length > 0;
}

/** Throws `secrets-in-commits` (kind `refused`) for commits that the branch at `into` does not have yet. */
export async function refuseLeakyCommits(
  workplace: Workplace,
  environment: Environment,
  into: Oid | undefined,
  /** Default: where the environment's HEAD is. */
  head: Oid = environment.at.head,
): Promise<void> {
  const leaks = await searchCommits(workplace, environment, into === undefined ? [] : [into], head);
  if (leaks.length > 0) throw refused(environment, leaks);
}

/** The same where only the files count, not the history: for what arrives without its commits. */
export async function refuseLeakyChanges(
  workplace: Workplace,
  environment: Environment,
  changes: Pick<ChangeSearch, 'before' | 'after'>,
): Promise<void> {
  const leaks = await workplace.leaks.inChanges({ ...changes, allow: allowedBy(environment) });
  if (leaks.length > 0) throw refused(environment, leaks);
}

function searchCommits(
  workplace: Workplace,
  environment: Environment,
  without: readonly Oid[],
  head: Oid = environment.at.head,
) {
  return workplace.leaks.inCommits({ name: environment.name, head, without, allow: allowedBy(environment) });
}

function allowedBy(environment: Environment): readonly string[] {
  return holdOf(environment).allow;
}

function refused({ name }: Environment, leaks: readonly Leak[]): CoppiceError {
  const paths = [...new Set(leaks.map(({ path }) => textOf(path)))];
  const files = leaks.map(({ path, commit, detail }) => ({
    path: textOf(path),
    kind: `${detail}, in ${shortOid(commit)}`,
    commit,
    detail,
  }));
  const what = paths.length === 1 ? `A secret in ${paths[0]}` : `Secrets in ${paths.length} files`;
  return new CoppiceError('refused', 'secrets-in-commits', `${what} would leave ${name}.`, {
    hint: [
      'Nothing was changed. Take it out inside, of the commits too (git commit --amend, or git rebase -i); revoke it if it is real.',
      `If it is none: --allow-secrets, or "hold": { "allow": ["${paths[0]}"] } in your settings.`,
    ].join(' '),
    data: { environment: name, files },
  });
}
