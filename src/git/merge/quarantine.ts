/** New objects go to a directory of their own first, so that a merge nobody wants leaves nothing in the repository. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isOid, type Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { durable } from '../native/write-tree.ts';
import { removeNow } from './remove-now.ts';

export interface Quarantine {
  /** Holds everything below; private to this user. */
  readonly directory: string;
  /** Where its objects are. */
  readonly objects: string;
  /** For git: write here, read from here and from the repository. */
  readonly env: Readonly<Record<string, string>>;
  /** Brings the objects into the repository, except those named. */
  promote(except?: readonly Oid[]): Promise<void>;
  /** Brings only these. */
  promoteOnly(wanted: ReadonlySet<string>): Promise<void>;
}

/** Where shared memory is, on Linux: shm_overview(7). */
export const sharedMemory = '/dev/shm';

/** Names of the directories begin with it, then the process. */
export const quarantinePrefix = 'coppice-merge-';

/** `scratch` should be fast to write to (FACTS: 44 loose objects a merge). Gone when `body` is done. */
export async function withQuarantine<Result>(
  git: HostGit,
  scratch: string,
  body: (quarantine: Quarantine) => Promise<Result>,
): Promise<Result> {
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(scratch, `${quarantinePrefix}${process.pid}-`));
  try {
    const objects = join(directory, 'objects');
    await mkdir(objects);
    const env = {
      GIT_OBJECT_DIRECTORY: objects,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: quoted(join(git.commonDirectory, 'objects')),
    };
    return await body({
      directory,
      objects,
      env,
      promote: (except = []) => promote(git, objects, env, (oid) => !except.includes(oid)),
      promoteOnly: (wanted) => promote(git, objects, env, (oid) => wanted.has(oid)),
    });
  } finally {
    if (scratch === sharedMemory) removeNow(directory);
    else await rm(directory, { recursive: true, force: true });
  }
}

/** The variable is a list separated by colons; git(1) lets an entry be quoted as in C. */
function quoted(path: string): string {
  return /[:"\\\n]/.test(path) ? `"${path.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"` : path;
}

/** Through a pack in memory, so that git writes the files with the rights the repository shares them with. */
async function promote(
  git: HostGit,
  objects: string,
  env: Quarantine['env'],
  isWanted: (oid: Oid) => boolean,
): Promise<void> {
  const oids = (await looseObjects(objects)).filter(isWanted);
  if (oids.length === 0) return;
  const packed = await git.run(['pack-objects', '--stdout', '-q', '--window=0'], {
    input: `${oids.join('\n')}\n`,
    env,
  });
  await git.run(['unpack-objects', '-q'], { input: packed.stdout, config: durable });
}

async function looseObjects(objects: string): Promise<readonly Oid[]> {
  const folders = (await readdir(objects)).filter((name) => /^[0-9a-f]{2}$/.test(name));
  const found = await Promise.all(
    folders.map(async (folder) => (await readdir(join(objects, folder))).map((rest) => `${folder}${rest}`)),
  );
  return found.flat().filter(isOid);
}
