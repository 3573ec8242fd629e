/** The repository's configuration as far as storing files depends on it. */
import type { HostGit } from '../host-git.ts';

export interface Settings {
  readonly autoCrlf: boolean | 'input';
  readonly eol: 'lf' | 'crlf' | undefined;
  /** `core.safecrlf=true`: refuse what a checkout would not give back. */
  readonly safeCrlf: boolean;
  /** Whether the executable bit on disk counts. */
  readonly fileMode: boolean;
  /** False: links are checked out as small files. */
  readonly symlinks: boolean;
  readonly ignoreCase: boolean;
  /** Filter drivers that the repository's configuration defines. */
  readonly filters: ReadonlySet<string>;
  /** Git LFS is told to pass content through further programs. */
  readonly lfsExtensions: boolean;
}

export async function readSettings(git: HostGit): Promise<Settings> {
  const { stdout } = await git.run(['config', '--null', '--list']);
  const values = new Map<string, string | undefined>();
  for (const item of stdout.toString('utf8').split('\0')) {
    const end = item.indexOf('\n');
    if (item !== '') values.set(end < 0 ? item : item.slice(0, end), end < 0 ? undefined : item.slice(end + 1));
  }
  const flag = (key: string, otherwise: boolean) => (values.has(key) ? isTrue(values.get(key)) : otherwise);
  const lowered = (key: string) => values.get(key)?.toLowerCase();
  const eol = lowered('core.eol');
  return {
    autoCrlf: lowered('core.autocrlf') === 'input' ? 'input' : flag('core.autocrlf', false),
    eol: eol === 'lf' || eol === 'native' ? 'lf' : eol === 'crlf' ? 'crlf' : undefined,
    safeCrlf: lowered('core.safecrlf') !== 'warn' && flag('core.safecrlf', false),
    fileMode: flag('core.filemode', true),
    symlinks: flag('core.symlinks', true),
    ignoreCase: flag('core.ignorecase', false),
    filters: new Set([...values.keys()].flatMap((key) => /^filter\.(.+)\.[^.]+$/s.exec(key)?.[1] ?? [])),
    lfsExtensions: [...values.keys()].some((key) => key.startsWith('lfs.extension.')),
  };
}

/** A key without a value is true, an empty value false: git-config(1). */
function isTrue(value: string | undefined): boolean {
  if (value === undefined) return true;
  return /^(?:true|yes|on|[1-9][0-9]*)$/i.test(value);
}
