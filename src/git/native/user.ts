/** What the user's own git configuration says. */
import { CoppiceError } from '../../domain/error.ts';
import type { Finished } from '../../platform/process.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import { type GitCall, type HostGit, runGitAsUser } from '../host-git.ts';
import type { Identity } from '../repository.ts';

export interface UserPlace {
  /** A directory no agent can write. */
  readonly directory: string;
  readonly gitDirectory: string;
}

/** Undefined where git would have to guess. */
export async function identity(git: HostGit, place: UserPlace): Promise<Identity | undefined> {
  return parseIdentity(
    await git.runAsUser(place.directory, askIdentity, { ...identityCall, gitDirectory: place.gitDirectory }),
  );
}

/** The same outside of any repository. */
export async function identityAnywhere(surroundings: Surroundings): Promise<Identity | undefined> {
  return parseIdentity(await runGitAsUser(surroundings, '/', askIdentity, identityCall));
}

const askIdentity = ['var', 'GIT_AUTHOR_IDENT'];
const identityCall: GitCall = { config: ['user.useConfigOnly=true'], allow: [0, 1, 128] };

function parseIdentity({ status, stdout }: Finished): Identity | undefined {
  const [, name, email] = /^(.+) <(.*)> \d+ [+-]\d+\n?$/.exec(stdout.toString('utf8')) ?? [];
  return status !== 0 || name === undefined || !email ? undefined : { name, email };
}

/** Status 1 means: not set. */
export async function config(git: HostGit, place: UserPlace, key: string): Promise<string | undefined> {
  if (!/^[a-zA-Z][a-zA-Z0-9-]*(\.[^\n\0]*)?\.[a-zA-Z][a-zA-Z0-9-]*$/.test(key)) {
    throw new CoppiceError('usage', 'bad-config-key', `${JSON.stringify(key)} is not a git configuration key.`, {
      hint: 'Keys look like user.email or branch.main.remote.',
    });
  }
  const { status, stdout } = await git.runAsUser(place.directory, ['config', '--null', '--get', key], {
    gitDirectory: place.gitDirectory,
    allow: [0, 1],
  });
  return status === 0 ? stdout.toString('utf8').replace(/\0$/, '') : undefined;
}
