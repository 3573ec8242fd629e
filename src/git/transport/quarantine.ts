/**
 * A repository of its own for what comes out of an environment: it borrows the user's objects but shares no configuration,
 * reference or object file with them. What passed the checks is promoted; the rest goes with it.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectFormat } from '../../domain/oid.ts';
import { errnoOf, ifPresent } from '../../platform/errno.ts';

export interface Quarantine {
  readonly directory: string;
  /** What its `shallow` file said before anything came in; undefined for a full history. */
  readonly shallow: Buffer | undefined;
}

const prefix = 'quarantine-';
/** Milliseconds after which a quarantine must be that of a process that was killed. */
const stale = 60 * 60_000;

export async function openQuarantine(commonDirectory: string, objectFormat: ObjectFormat): Promise<Quarantine> {
  const parent = join(commonDirectory, 'coppice');
  await removeStale(parent);
  const directory = join(parent, prefix + randomBytes(6).toString('hex'));
  await mkdir(join(directory, 'objects/info'), { recursive: true });
  await mkdir(join(directory, 'refs'));
  const extension = objectFormat === 'sha1' ? '' : `[extensions]\n\tobjectFormat = ${objectFormat}\n`;
  const version = objectFormat === 'sha1' ? 0 : 1;
  const shallow = await ifPresent(readFile(join(commonDirectory, 'shallow')));
  await writeFile(join(directory, 'HEAD'), 'ref: refs/heads/none\n');
  await writeFile(join(directory, 'objects/info/alternates'), `${quoted(join(commonDirectory, 'objects'))}\n`);
  if (shallow !== undefined) await writeFile(join(directory, 'shallow'), shallow);
  await writeFile(
    join(directory, 'config'),
    `[core]\n\trepositoryformatversion = ${version}\n\tbare = true\n${extension}`,
  );
  return { directory, shallow };
}

export async function closeQuarantine({ directory }: Quarantine): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** Moves what arrived into the repository: packs before their indexes, so that a reader never finds half of one; synced. */
export async function promote(quarantine: Quarantine, commonDirectory: string): Promise<void> {
  const from = join(quarantine.directory, 'objects');
  const to = join(commonDirectory, 'objects');
  const packed = (await ifPresent(readdir(join(from, 'pack')))) ?? [];
  const finished = packed.filter((file) => /^pack-[0-9a-f]+\.(pack|rev|idx)$/.test(file));
  if (finished.length > 0) {
    for (const file of finished.sort((left, right) => order(left) - order(right))) {
      await place(join(from, 'pack', file), join(to, 'pack'), file);
    }
    await syncDirectory(join(to, 'pack'));
  }
  for (const folder of (await readdir(from)).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    await mkdir(join(to, folder), { recursive: true });
    for (const file of await readdir(join(from, folder))) await place(join(from, folder, file), join(to, folder), file);
    await syncDirectory(join(to, folder));
  }
}

function order(file: string): number {
  return ['pack', 'rev', 'idx'].indexOf(file.slice(file.lastIndexOf('.') + 1));
}

/** An object or pack of that name has that content: what is there already stays. */
async function place(source: string, directory: string, file: string): Promise<void> {
  try {
    await link(source, join(directory, file));
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EEXIST') return;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EMLINK') throw error;
    await copyInto(source, directory, file);
  }
}

/** Where links cannot be had: under the name git gives to unfinished packs and cleans up after. */
async function copyInto(source: string, directory: string, file: string): Promise<void> {
  const draft = join(directory, `tmp_${randomBytes(6).toString('hex')}`);
  await copyFile(source, draft, constants.COPYFILE_EXCL);
  await sync(draft);
  await rename(draft, join(directory, file));
}

function syncDirectory(directory: string): Promise<void> {
  return sync(directory);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A line of an alternates file that begins with '"' is unquoted, and one that begins with '#' skipped: a path never is. */
function quoted(path: string): string {
  return path.includes('\n') ? `"${path.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"` : path;
}

async function removeStale(parent: string): Promise<void> {
  const entries = (await ifPresent(readdir(parent))) ?? [];
  for (const entry of entries.filter((name) => name.startsWith(prefix))) {
    const path = join(parent, entry);
    const changed = (await ifPresent(stat(path)))?.mtimeMs;
    if (changed !== undefined && Date.now() - changed > stale) await rm(path, { recursive: true, force: true });
  }
}
