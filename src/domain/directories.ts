/** Where an environment's files are on the host and inside its container. */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { EnvironmentName } from './environment-name.ts';

/** On the host. Everything below `root` belongs to one environment. */
export interface EnvironmentDirectories {
  readonly root: string;
  /** The worktree's files. */
  readonly tree: string;
  /** The agent's own git directory. The host never runs git on it. */
  readonly git: string;
  /** The container user's home. */
  readonly home: string;
}

/** `$XDG_DATA_HOME/coppice/<repository id>`: the environments of one repository, and the base store they share. */
export function repositoryDirectory(dataDirectory: string, repositoryId: string): string {
  return join(dataDirectory, repositoryId);
}

export function directoriesOf(
  dataDirectory: string,
  repositoryId: string,
  name: EnvironmentName,
): EnvironmentDirectories {
  const root = join(repositoryDirectory(dataDirectory, repositoryId), name);
  return {
    root,
    tree: join(root, 'tree'),
    git: join(root, 'git'),
    home: join(root, 'home'),
  };
}

/** The bare repository that holds base histories and nothing else. `.base` cannot be an environment's name. */
export function baseStoreDirectory(dataDirectory: string, repositoryId: string): string {
  return join(repositoryDirectory(dataDirectory, repositoryId), '.base.git');
}

/** Fingerprints of the secrets that environments of the repository were given. */
export function fingerprintFile(dataDirectory: string, repositoryId: string): string {
  return join(repositoryDirectory(dataDirectory, repositoryId), '.fingerprints');
}

/** Holds the path of the common git directory, in a repository's directory: for the daemon, which starts from there. */
export const repositoryFile = '.repository';

/**
 * A name for a repository that is the same for every process: its folder's name and 10 hexadecimal digits of the
 * SHA-256 of the real path of its common git directory.
 */
export function repositoryIdOf(realCommonDirectory: string): string {
  const folder = basename(realCommonDirectory) === '.git' ? dirname(realCommonDirectory) : realCommonDirectory;
  const readable = basename(folder)
    .toLowerCase()
    .replace(/\.git$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 24);
  const digest = createHash('sha256').update(realCommonDirectory).digest('hex').slice(0, 10);
  return readable === '' ? digest : `${readable}-${digest}`;
}

/** The name of git's registration of the worktree: `<git common dir>/worktrees/<this>`. */
export function registrationId(name: EnvironmentName): string {
  return `coppice-${name}`;
}
