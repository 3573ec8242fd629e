/** Secrets in commits that an agent made with git: told wherever work is looked at, and kept from being handed on. */
import { textOf } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import { type Oid, shortOid } from '../domain/oid.ts';
import type { ChangeSearch, Leak, LeakElsewhere } from '../git/leaks.ts';
import { type Environment, holdOf } from './environment.ts';
import type { Workplace } from './workplace.ts';

/** In the environment's own commits, as long as nothing of the user's has them. */
export async function findLeaks(workplace: Workplace, environment: Environment): Promise<readonly Leak[]> {
  const { at } = environment;
  if (at.head === at.base) return [];
  return searchCommits(workplace, environment, [at.base]);
}

/** On other branches made inside, in stashes, and in what amends and rebases left behind. Nothing of it is in a merge; a push of the references takes it along. */
export async function findLeaksElsewhere(
  workplace: Workplace,
  environment: Environment,
): Promise<readonly LeakElsewhere[]> {
  const { name, at, refs } = environment;
  const prefixes = ['heads', 'stashes', 'tails'].map((each) => `${refs.prefix}${each}/`);
  const allow = allowedBy(environment);
  return workplace.leaks.inRefs({ name, prefixes, without: [at.base, at.head], allow });
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

/** Throws the same for a message that was put together of what the commits since `into` say. */
export async function refuseLeakySubjects(
  workplace: Workplace,
  environment: Environment,
  into: Oid,
  head: Oid,
): Promise<void> {
  const commits = await workplace.repository.log({ start: head, exclude: [environment.at.base, into] });
  const leaks: Leak[] = [];
  for (const { oid, message } of commits) {
    const [subject = ''] = message.split('\n');
    if (!(await workplace.leaks.inText(subject))) continue;
    leaks.push({ commit: oid, path: undefined, detail: 'its subject looks like a secret; -m MSG says it otherwise' });
  }
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
  const places = [...new Set(leaks.map(placeOf))];
  const files = leaks.map((leak) => ({
    path: placeOf(leak),
    kind: leak.path === undefined ? leak.detail : `${leak.detail}, in ${shortOid(leak.commit)}`,
    commit: leak.commit,
    detail: leak.detail,
  }));
  const what = places.length === 1 ? `A secret in ${places[0]}` : `Secrets in ${places.length} places`;
  const path = leaks.find((leak) => leak.path !== undefined)?.path;
  const allow = path === undefined ? '' : `, or "hold": { "allow": ["${textOf(path)}"] } in your settings`;
  return new CoppiceError('refused', 'secrets-in-commits', `${what} would leave ${name}.`, {
    hint: [
      'Nothing was changed. Take it out inside, of the commits too (git commit --amend, or git rebase -i); revoke it if it is real.',
      `If it is none: --allow-secrets${allow}.`,
    ].join(' '),
    data: { environment: name, files },
  });
}

function placeOf({ path, commit }: Leak): string {
  return path === undefined ? `commit ${shortOid(commit)}` : textOf(path);
}
