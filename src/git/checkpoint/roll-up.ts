/**
 * Housekeeping: a pack per checkpoint adds up. Rolled up in geometric steps before the repository has as many as make the
 * user's next commit start a full gc (gc.autoPackLimit: 50). FACTS 2: 64–160 ms for 40 packs. Never on the path of a
 * checkpoint; one at a time among all processes.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { tryLock } from '../../platform/lock.ts';
import type { HostGit } from '../host-git.ts';
import { keepText, unfinished } from './pack-files.ts';

export interface RollUp {
  /** Packs before and after. */
  readonly before: number;
  readonly after: number;
}

const mostPacks = 40;
/** Files of packs being written that are older than this belong to a process that is long gone (milliseconds). */
const strayAfter = 6 * 3_600_000;

/**
 * undefined: nothing to do, or another process is at it. Nothing that is in the repository is ever dropped, reachable or
 * not. In a partial clone, and where packs are precious, packs stay and only their index is joined.
 */
export async function rollUpPacks(git: HostGit, most: number = mostPacks): Promise<RollUp | undefined> {
  const directory = join(git.commonDirectory, 'objects/pack');
  const before = await countPacks(directory);
  if (before <= most) return undefined;
  const lock = await tryLock(`roll-up ${git.commonDirectory}`);
  if (lock === undefined) return undefined;
  try {
    await removeStrays(directory);
    const joinOnly = (await isPartialClone(directory)) || (await isPrecious(git));
    await runGently(
      git,
      joinOnly ? ['multi-pack-index', 'write'] : ['repack', '--geometric=2', '-d', '-q', '--write-midx'],
    );
    return { before, after: await countPacks(directory) };
  } finally {
    await lock.release();
  }
}

/** As git counts for gc.autoPackLimit: packs that nobody asked to keep. */
async function countPacks(directory: string): Promise<number> {
  const names = new Set(await readdir(directory).catch(() => []));
  return [...names].filter(
    (name) => name.endsWith('.pack') && !name.startsWith('tmp_') && !names.has(name.replace(/pack$/, 'keep')),
  ).length;
}

async function isPartialClone(directory: string): Promise<boolean> {
  return (await readdir(directory)).some((name) => name.endsWith('.promisor'));
}

async function isPrecious(git: HostGit): Promise<boolean> {
  const { stdout } = await git.run(['config', '--type=bool', '--default=false', '--get', 'extensions.preciousObjects']);
  return stdout.toString('latin1').trim() === 'true';
}

async function runGently(git: HostGit, args: readonly string[]): Promise<void> {
  const child = await git.start(args);
  child.stdin.end();
  child.stdout.resume();
  child.stderr.resume();
  try {
    setPriority(child.pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already.
  }
  await child.exit;
}

/** What a crash left of packs that were being written, or whose branch had not moved yet. */
async function removeStrays(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (!name.startsWith(unfinished) && !(name.endsWith('.keep') && (await isOurKeep(path)))) continue;
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > strayAfter) await rm(path, { force: true });
  }
}

async function isOurKeep(path: string): Promise<boolean> {
  return (await readFile(path, 'utf8').catch(() => '')) === keepText;
}
