/** The user's remotes and what their configuration says about a URL, as git itself resolves it (`insteadOf` included). */
import type { RefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';
import { config, type UserPlace } from './user.ts';

export interface Remote {
  readonly name: string;
  /** Where it is fetched from. */
  readonly url: string;
}

export async function listRemotes(git: HostGit, place: UserPlace): Promise<readonly Remote[]> {
  const { stdout } = await git.runAsUser(place.directory, ['remote'], { gitDirectory: place.gitDirectory });
  const names = stdout
    .toString('utf8')
    .split('\n')
    .filter((name) => name !== '');
  const urls = await Promise.all(names.map((name) => urlOf(git, place, name)));
  return names.flatMap((name, index) => {
    const url = urls[index];
    return url === undefined ? [] : [{ name, url }];
  });
}

/** Status 2: it has none. */
async function urlOf(git: HostGit, place: UserPlace, name: string): Promise<string | undefined> {
  const { status, stdout } = await git.runAsUser(place.directory, ['remote', 'get-url', '--', name], {
    gitDirectory: place.gitDirectory,
    allow: [0, 2, 128],
  });
  return status === 0 ? stdout.toString('utf8').replace(/\n$/, '') : undefined;
}

export interface Upstream {
  readonly remote: string;
  /** The full name of the branch there. */
  readonly branch: string;
}

export async function upstreamOf(git: HostGit, place: UserPlace, branch: RefName): Promise<Upstream | undefined> {
  const short = branch.replace(/^refs\/heads\//, '');
  const [remote, merge] = await Promise.all([
    config(git, place, `branch.${short}.remote`),
    config(git, place, `branch.${short}.merge`),
  ]);
  return remote === undefined || merge === undefined ? undefined : { remote, branch: merge };
}

/** The value for the URL that fits best: `coppice.https://git.example.org.forge` before `coppice.forge` (git-config: --get-urlmatch). */
export async function configFor(git: HostGit, place: UserPlace, key: string, url: string): Promise<string | undefined> {
  const { status, stdout } = await git.runAsUser(place.directory, ['config', '--null', '--get-urlmatch', key, url], {
    gitDirectory: place.gitDirectory,
    allow: [0, 1],
  });
  return status === 0 ? stdout.toString('utf8').replace(/\0$/, '') : undefined;
}
