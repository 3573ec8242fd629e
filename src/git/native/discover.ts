/** Finds the repository a directory belongs to, as git itself does, with one exception: an environment never decides it. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import type { ObjectFormat } from '../../domain/oid.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import { runGitAsUser } from '../host-git.ts';
import { type EnclosingEnvironment, enclosingEnvironment } from './enclosing-environment.ts';

export interface Place {
  /** Real path. */
  readonly commonDirectory: string;
  readonly gitDirectory: string;
  readonly worktree: string | null;
  /** The worktree is an environment's: git must not read its files. */
  readonly inEnvironment: boolean;
  readonly objectFormat: ObjectFormat;
}

const questions = [
  'rev-parse',
  '--path-format=absolute',
  '--show-object-format',
  '--absolute-git-dir',
  '--git-common-dir',
  // Last: it ends with an error where there is no checkout.
  '--show-toplevel',
];

/**
 * Throws `not-a-repository` (kind `not-found`), `dubious-ownership` (kind `refused`), `git-too-old` (kind `unavailable`).
 * Below the directory of an environment its owner is asked, never the `.git` an agent could have put there.
 */
export async function discover(surroundings: Surroundings, directory: string): Promise<Place> {
  const real = await realDirectory(directory);
  const inside = await enclosingEnvironment(surroundings, real);
  if (inside !== undefined) return placeOf(surroundings, inside);
  const place = await ask(surroundings, real, undefined);
  if (place !== undefined) return place;
  // An old git may not even understand the question.
  await requireGit(surroundings);
  if ((await ask(surroundings, real, undefined, ['safe.directory=*'])) !== undefined) throw dubious(real);
  throw new CoppiceError('not-found', 'not-a-repository', `${directory} is not in a git repository.`, {
    hint: 'Run coppice inside a repository, or make one with `git init`.',
    data: { directory },
  });
}

/** Never by git's own discovery, which would follow what an agent can write. */
async function placeOf(surroundings: Surroundings, environment: EnclosingEnvironment): Promise<Place> {
  const { commonDirectory, registration, tree } = environment;
  if (commonDirectory !== undefined) {
    for (const gitDirectory of [join(commonDirectory, 'worktrees', registration), commonDirectory]) {
      const place = await ask(surroundings, commonDirectory, gitDirectory);
      if (place !== undefined) return { ...place, worktree: tree, inEnvironment: true };
    }
  }
  throw new CoppiceError('not-found', 'not-a-repository', `${tree} does not say which repository it belongs to.`, {
    hint: 'Run coppice in the repository itself.',
    data: { directory: tree },
  });
}

async function ask(
  surroundings: Surroundings,
  directory: string,
  gitDirectory: string | undefined,
  config: readonly string[] = [],
): Promise<Place | undefined> {
  const { stdout } = await runGitAsUser(surroundings, directory, questions, {
    allow: [0, 128],
    config,
    ...(gitDirectory === undefined ? {} : { gitDirectory }),
  });
  const [format, own, common, top] = stdout.toString('utf8').split('\n');
  if ((format !== 'sha1' && format !== 'sha256') || !own || !common) return undefined;
  const [gitDir, commonDirectory] = await Promise.all([realpath(own), realpath(common)]);
  return {
    commonDirectory,
    gitDirectory: gitDir,
    worktree: top ? await realpath(top) : null,
    inEnvironment: false,
    objectFormat: format,
  };
}

async function realDirectory(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (cause) {
    throw new CoppiceError('not-found', 'no-such-directory', `${directory} does not exist.`, {
      hint: 'Change to a directory inside a repository.',
      data: { directory },
      cause,
    });
  }
}

function dubious(directory: string): CoppiceError {
  return new CoppiceError('refused', 'dubious-ownership', `${directory} is in a repository that another user owns.`, {
    hint: `If you trust it: git config --global --add safe.directory ${directory}`,
    data: { directory },
  });
}

const oldestGit = [2, 38] as const;

/** Tells a git that lacks `merge-tree --write-tree` and `cat-file -z` before anything fails for want of them. */
/** Not part of `discover`: one more start of git is felt in a quick command. Whoever creates asks. Throws `git-too-old`. */
export async function requireGit(surroundings: Surroundings): Promise<void> {
  const { stdout } = await runGitAsUser(surroundings, '/', ['version']);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout.toString('utf8')) ?? [];
  const [first, second] = [Number(major ?? 0), Number(minor ?? 0)];
  if (first > oldestGit[0] || (first === oldestGit[0] && second >= oldestGit[1])) return;
  throw new CoppiceError('unavailable', 'git-too-old', `git ${first}.${second} is too old for coppice.`, {
    hint: `Install git ${oldestGit.join('.')} or newer.`,
    data: { found: `${first}.${second}`, needed: oldestGit.join('.') },
  });
}
