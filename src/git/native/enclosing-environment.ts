/**
 * Whether a directory lies inside an environment, and whose. What an agent can write there (`.git`, a nested repository) is
 * at most a hint: a repository counts only if its id is the one in the path, which is a digest of where it is.
 */
import { constants } from 'node:fs';
import { mkdir, open, readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import {
  directoriesOf,
  registrationId,
  repositoryDirectory,
  repositoryFile,
  repositoryIdOf,
} from '../../domain/directories.ts';
import { isEnvironmentName } from '../../domain/environment-name.ts';
import type { Surroundings } from '../../platform/surroundings.ts';

export interface EnclosingEnvironment {
  /** Undefined when nothing trustworthy says which repository it belongs to. */
  readonly commonDirectory: string | undefined;
  /** The name of git's registration of the environment's worktree, below `worktrees` there. */
  readonly registration: string;
  readonly tree: string;
}

/** `directory` must be a real path. */
export async function enclosingEnvironment(
  surroundings: Surroundings,
  directory: string,
): Promise<EnclosingEnvironment | undefined> {
  const data = await realpath(surroundings.dataDirectory).catch(() => undefined);
  if (data === undefined) return undefined;
  const way = relative(data, directory).split(sep);
  const [id, name] = way;
  if (way[0] === '..' || id === undefined || name === undefined || !isEnvironmentName(name)) return undefined;
  const { tree } = directoriesOf(data, id, name);
  const environment = { registration: registrationId(name), tree };
  for (const candidate of [await remembered(data, id), await linkedFrom(tree)]) {
    const common = candidate && (await realpath(candidate).catch(() => undefined));
    if (common && repositoryIdOf(common) === id) return { ...environment, commonDirectory: common };
  }
  return { ...environment, commonDirectory: undefined };
}

/** Where `rememberRepository` writes. */
function noteOf(dataDirectory: string, repositoryId: string): string {
  return join(repositoryDirectory(dataDirectory, repositoryId), repositoryFile);
}

/** Notes where the repository is, for the directories that cannot say it themselves. Repeatable. */
export async function rememberRepository(
  dataDirectory: string,
  repository: { readonly id: string; readonly commonDirectory: string },
): Promise<void> {
  const note = noteOf(dataDirectory, repository.id);
  await mkdir(dirname(note), { recursive: true });
  await writeFile(note, repository.commonDirectory);
}

async function remembered(dataDirectory: string, repositoryId: string): Promise<string | undefined> {
  return readFile(noteOf(dataDirectory, repositoryId), 'utf8').catch(() => undefined);
}

/** The common directory a linked worktree's `.git` file names. Read without following a link, and only its beginning. */
async function linkedFrom(tree: string): Promise<string | undefined> {
  const file = await open(join(tree, '.git'), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (file === undefined) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    const registration = /^gitdir: (.+)\n?$/.exec(buffer.toString('utf8', 0, bytesRead))?.[1];
    return registration === undefined ? undefined : dirname(dirname(registration));
  } finally {
    await file.close();
  }
}
