/** Asks git's credential helpers, as git itself does before a fetch, but never a person: no terminal, no window. */
import type { HostGit } from '../host-git.ts';
import type { UserPlace } from './user.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Milliseconds a helper may take: some ask a key ring. */
const patience = 30_000;

/** Undefined where no helper knows one. Throws `deadline`. Nothing of it is kept or told to a helper again. */
export async function findLogin(git: HostGit, place: UserPlace, url: string): Promise<Login | undefined> {
  if (/[\n\0]/.test(url)) return undefined;
  const { status, stdout } = await git.runAsUser(place.directory, ['credential', 'fill'], {
    gitDirectory: place.gitDirectory,
    input: `url=${url}\n\n`,
    config: ['core.askPass=', 'credential.interactive=false'],
    env: { GIT_ASKPASS: '', SSH_ASKPASS: '', GCM_INTERACTIVE: 'never' },
    allow: [0, 1, 128],
    timeout: patience,
  });
  const answer = new Map(stdout.toString('utf8').split('\n').map(pair));
  const user = answer.get('username');
  const password = answer.get('password');
  return status !== 0 || user === undefined || !password ? undefined : { user, password };
}

function pair(line: string): readonly [string, string] {
  const equals = line.indexOf('=');
  return [line.slice(0, Math.max(0, equals)), line.slice(equals + 1)];
}
