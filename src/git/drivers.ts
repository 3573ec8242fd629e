/**
 * Filters, merge drivers and diff drivers that the repository's own configuration defines, each set to what does nothing. Which of
 * them apply to a file is chosen by attributes, and those an agent can write.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../platform/process.ts';

type Variables = Readonly<Record<string, string>>;

/** Git configuration as environment variables (GIT_CONFIG_COUNT, …); asked again when the configuration file has changed. */
export function driverSettings(commonDirectory: string, env: Variables): () => Promise<Variables> {
  let known: { readonly stamp: string; readonly variables: Promise<Variables> } | undefined;
  return async () => {
    const stamp = await stampOf(commonDirectory);
    if (known?.stamp !== stamp) known = { stamp, variables: readDrivers(commonDirectory, env) };
    return known.variables;
  };
}

async function stampOf(commonDirectory: string): Promise<string> {
  const stamps = await Promise.all(
    ['config', 'config.worktree'].map(async (file) => {
      const found = await stat(join(commonDirectory, file)).catch(() => undefined);
      return found === undefined ? '' : `${found.mtimeMs}:${found.size}:${found.ino}`;
    }),
  );
  return stamps.join(' ');
}

async function readDrivers(commonDirectory: string, env: Variables): Promise<Variables> {
  const pattern = '^(filter|merge|diff)\\..*\\.(clean|smudge|process|required|driver|command|textconv)$';
  const args = [`--git-dir=${commonDirectory}`, 'config', '--null', '--name-only', '--get-regexp', pattern];
  const { stdout } = await run('git', args, { env, cwd: commonDirectory });
  const keys = [...new Set(stdout.toString('utf8').split('\0'))].filter((key) => key !== '');
  const variables: Record<string, string> = { GIT_CONFIG_COUNT: String(keys.length) };
  for (const [index, key] of keys.entries()) {
    variables[`GIT_CONFIG_KEY_${index}`] = key;
    variables[`GIT_CONFIG_VALUE_${index}`] = harmless(key);
  }
  return variables;
}

/** git's own text merge, for drivers: an empty command would fail the merge, and so would a status over 128 (binary files). */
const plainMerge = 'git merge-file -L ours -L base -L theirs --marker-size=%L %A %O %B || exit 1';

function harmless(key: string): string {
  if (key.endsWith('.required')) return 'false';
  if (key.endsWith('.textconv')) return 'cat';
  return key.startsWith('merge.') && key.endsWith('.driver') ? plainMerge : '';
}
