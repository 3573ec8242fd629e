/** What the repository's own configuration files say (`config` and `config.worktree`, with their includes). */
import type { HostGit } from '../host-git.ts';

export interface LocalConfig {
  /** The last value; keys as git prints them: section and variable in lower case. */
  get(key: string): string | undefined;
  isTrue(key: string): boolean;
  /** In the order of the files. */
  readonly entries: readonly (readonly [key: string, value: string])[];
}

const own = new Set(['local', 'worktree']);

export async function readLocalConfig(git: HostGit, gitDirectory: string): Promise<LocalConfig> {
  const { stdout } = await git.run(['config', '--list', '--null', '--show-scope'], { gitDirectory });
  const entries = parseScoped(stdout.toString('utf8'));
  const last = new Map(entries);
  return {
    entries,
    get: (key) => last.get(key),
    isTrue: (key) => /^(true|yes|on|[1-9]\d*)$/i.test(last.get(key) ?? ''),
  };
}

/** `<scope> NUL <key> [LF <value>] NUL …`; a key without a value is true. */
function parseScoped(text: string): readonly (readonly [string, string])[] {
  const parts = text.split('\0');
  const entries: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const [scope = '', setting = ''] = [parts[index], parts[index + 1]];
    if (!own.has(scope)) continue;
    const end = setting.indexOf('\n');
    entries.push(end < 0 ? [setting, 'true'] : [setting.slice(0, end), setting.slice(end + 1)]);
  }
  return entries;
}
