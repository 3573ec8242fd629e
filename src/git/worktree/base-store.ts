/**
 * The base store: a bare repository that holds the histories environments started from, and nothing else. Containers
 * borrow its objects read-only, through alternates, so that no environment sees another's work or the user's stashes.
 */
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { baseStoreDirectory } from '../../domain/directories.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { isOid, type Oid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import { withLock } from '../../platform/lock.ts';
import { configText } from './config-text.ts';
import { longTimeout, type WorktreeContext } from './context.ts';
import { readLocalConfig } from './local-config.ts';

export function storeOf(context: WorktreeContext): string {
  return baseStoreDirectory(context.dataDirectory, context.repositoryId);
}

export async function holdsBase(context: WorktreeContext, commit: Oid): Promise<boolean> {
  return (await ifPresent(stat(join(storeOf(context), 'refs/bases', commit)))) !== undefined;
}

export async function addBase(context: WorktreeContext, commit: Oid): Promise<void> {
  if (await holdsBase(context, commit)) return;
  const store = storeOf(context);
  await withLock(`base store ${store}`, async () => {
    if (await holdsBase(context, commit)) return;
    await ensureStore(context, store);
    await packHistory(context, [commit], join(store, 'objects/pack'));
    await context.git.run(['update-ref', `refs/bases/${commit}`, commit], { gitDirectory: store });
    await indexManyPacks(context, store);
  });
}

/** `config` comes last: a store without it was interrupted in the making. */
async function ensureStore(context: WorktreeContext, store: string): Promise<void> {
  await mkdir(context.dataDirectory, { recursive: true, mode: 0o700 });
  for (const part of ['objects/pack', 'objects/info', 'refs/bases', 'refs/heads']) {
    await mkdir(join(store, part), { recursive: true });
  }
  await takeShallow(context, store);
  if ((await ifPresent(stat(join(store, 'config')))) !== undefined) return;
  await writeFile(join(store, 'HEAD'), 'ref: refs/heads/none\n');
  await writeFile(
    join(store, 'config.new'),
    configText([
      ['core.repositoryformatversion', '1'],
      ['core.bare', 'true'],
      ['gc.auto', '0'],
      ['extensions.preciousObjects', 'true'],
      ...(context.objectFormat === 'sha1' ? [] : [['extensions.objectFormat', context.objectFormat] as const]),
    ]),
  );
  await rename(join(store, 'config.new'), join(store, 'config'));
}

/** A history that is cut off in the user's repository is cut off at the same commits in the store. */
async function takeShallow(context: WorktreeContext, store: string): Promise<void> {
  const cuts = (await readShallow(context.git.commonDirectory)) ?? [];
  if (cuts.length === 0) return;
  const all = new Set([...((await readShallow(store)) ?? []), ...cuts]);
  await writeFile(join(store, 'shallow.new'), [...all].map((oid) => `${oid}\n`).join(''));
  await rename(join(store, 'shallow.new'), join(store, 'shallow'));
}

export async function readShallow(gitDirectory: string): Promise<readonly Oid[] | undefined> {
  const text = await ifPresent(readFile(join(gitDirectory, 'shallow'), 'utf8'));
  return text?.split('\n').filter(isOid);
}

/**
 * Writes one pack with the history of the wanted commits (or blobs as they are) that the store does not have into the directory `into`, which must be on
 * the store's file system. Straight from the repository's packs: nothing is unpacked or compressed again, and with no
 * window no new deltas are sought, so that loose objects cost little. Git syncs the pack to disk.
 * Throws `partial-clone` (kind `refused`) when the repository lacks objects it could only get from a server.
 */
export async function packHistory(context: WorktreeContext, wanted: readonly Oid[], into: string): Promise<void> {
  const store = storeOf(context);
  const known = (await ifPresent(readdir(join(store, 'refs/bases')))) ?? [];
  const input = [...wanted, ...known.filter(isOid).map((oid) => `^${oid}`)].join('\n');
  const args = ['pack-objects', '--revs', '--window=0', '--delta-base-offset', '--non-empty', '--quiet'];
  try {
    await context.git.run([...args, join(into, 'pack')], {
      gitDirectory: store,
      env: { GIT_ALTERNATE_OBJECT_DIRECTORIES: quoted(join(context.git.commonDirectory, 'objects')) },
      input: `${input}\n`,
      timeout: longTimeout,
    });
  } catch (error) {
    throw await explainMissing(context, error);
  }
}

/** In GIT_ALTERNATE_OBJECT_DIRECTORIES a path in double quotes may hold ':' (git(1)). */
export function quoted(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`;
}

/** Git's own failure, unless the repository is a partial clone: then that is the likely reason, and there is a way out. */
export async function explainMissing(context: WorktreeContext, error: unknown): Promise<unknown> {
  if (!hasCode(error, 'git-failed')) return error;
  const config = await readLocalConfig(context.git, context.git.commonDirectory);
  const partial = config.entries.some(([key]) => /^(extensions\.partialclone|remote\..*\.promisor)$/s.test(key));
  if (!partial) return error;
  return new CoppiceError(
    'refused',
    'partial-clone',
    'This repository is a partial clone and lacks objects an environment needs.',
    {
      hint: 'Fetch all of them first: `git fetch --refetch --no-filter`.',
      data: { repository: context.git.commonDirectory },
      cause: error,
    },
  );
}

/** Every base adds a pack, and none may go away under a running container: past a score of them, one index for all. */
async function indexManyPacks(context: WorktreeContext, store: string): Promise<void> {
  const packs = (await readdir(join(store, 'objects/pack'))).filter((file) => file.endsWith('.pack'));
  if (packs.length > 20) await context.git.run(['multi-pack-index', 'write'], { gitDirectory: store });
}
