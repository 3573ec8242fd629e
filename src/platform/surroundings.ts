/** What the inside may know of the process it runs in. Made once, by a surface; nothing else reads process.env. */
import { homedir, hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export interface Surroundings {
  readonly cwd: string;
  /** The caller's environment. Children get it through `childEnvironment`, never as it is. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly hostname: string;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  /** `$XDG_DATA_HOME/coppice`: the environments' directories. */
  readonly dataDirectory: string;
  /** `$XDG_CONFIG_HOME/coppice`: the user's settings. */
  readonly configDirectory: string;
  /** `$XDG_STATE_HOME/coppice`: the daemon's log. */
  readonly stateDirectory: string;
  /** `$XDG_RUNTIME_DIR/coppice`, or a private directory under /tmp: sockets. */
  readonly runtimeDirectory: string;
}

export function surroundingsOf(cwd: string, env: Readonly<Record<string, string | undefined>>): Surroundings {
  const home = env.HOME ?? homedir();
  const user = userInfo();
  const xdg = (variable: string, fallback: string) => join(env[variable] || join(home, fallback), 'coppice');
  return {
    cwd,
    env,
    home,
    hostname: hostname(),
    uid: user.uid,
    gid: user.gid,
    userName: user.username,
    dataDirectory: xdg('XDG_DATA_HOME', '.local/share'),
    configDirectory: xdg('XDG_CONFIG_HOME', '.config'),
    stateDirectory: xdg('XDG_STATE_HOME', '.local/state'),
    runtimeDirectory: env.XDG_RUNTIME_DIR
      ? join(env.XDG_RUNTIME_DIR, 'coppice')
      : join(tmpdir(), `coppice-${user.uid}`),
  };
}

/** The caller's environment without a single GIT_* variable: a leaked GIT_DIR has destroyed whole repositories. */
export function childEnvironment(surroundings: Surroundings): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(surroundings.env)) {
    if (value !== undefined && !name.startsWith('GIT_')) kept[name] = value;
  }
  return kept;
}
