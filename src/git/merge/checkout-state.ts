/** What the user's checkout holds now, as a tree: the index, with some paths as their files are. Only reads the checkout. */
import { lstat } from 'node:fs/promises';
import type { BytePath } from '../../domain/byte-path.ts';
import { bytePathFromBuffer } from '../../domain/byte-path.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { GitCall, HostGit } from '../host-git.ts';
import { withPrivateIndex } from '../native/private-index.ts';
import { splitNul } from '../native/split-nul.ts';
import { busy } from './busy.ts';
import type { Checkout } from './checked-out.ts';
import { onDisk, parentsOf } from './disk-path.ts';
import type { Quarantine } from './quarantine.ts';

export interface CheckoutState {
  readonly tree: Oid;
  /** Taken before the files were read. */
  readonly fingerprints: ReadonlyMap<BytePath, string>;
}

/** Objects go to the quarantine. Throws `checkout-busy` while the index has unmerged entries. */
export async function readCheckout(
  git: HostGit,
  checkout: Checkout,
  quarantine: Quarantine,
  paths: readonly BytePath[],
): Promise<CheckoutState> {
  const { worktree, gitDirectory } = checkout;
  const fingerprints = await fingerprintsOf(worktree, paths);
  const tree = await withPrivateIndex(git.commonDirectory, gitDirectory, async (index) => {
    const call: GitCall = { env: { ...quarantine.env, GIT_INDEX_FILE: index, GIT_OPTIONAL_LOCKS: '0' } };
    const ask = (args: readonly string[], input = '') =>
      git.runAsUser(worktree, args, { ...call, input: Buffer.from(input, 'latin1') });
    const entries = parseEntries((await ask(['ls-files', '-z', '-v', '--stage'])).stdout);
    if ([...entries.values()].some(({ stage }) => stage !== '0')) {
      throw busy(
        worktree,
        'unmerged',
        `The index of ${worktree} has unmerged files.`,
        'Resolve them first (git status).',
      );
    }
    const { reset, read } = plan(paths, fingerprints, entries);
    await ask(['update-index', '-z', '--index-info'], reset);
    await ask(['update-index', '-z', '--add', '--replace', '--stdin'], read);
    return parseOid((await ask(['write-tree'])).stdout.toString('latin1').trim());
  });
  return { tree, fingerprints };
}

export async function unchangedSince(worktree: string, { fingerprints }: CheckoutState): Promise<boolean> {
  const now = await fingerprintsOf(worktree, [...fingerprints.keys()]);
  return [...fingerprints].every(([path, fingerprint]) => now.get(path) === fingerprint);
}

interface IndexEntry {
  /** `<mode> SP <oid>` */
  readonly object: string;
  readonly stage: string;
  /** Deliberately not on disk (sparse checkout). */
  readonly skipped: boolean;
}

/** `<tag> SP <mode> SP <oid> SP <stage> TAB <path>` */
function parseEntries(output: Buffer): ReadonlyMap<BytePath, IndexEntry> {
  const entries = splitNul(output).map((record): readonly [BytePath, IndexEntry] => {
    const tab = record.indexOf(0x09);
    const [tag = '', mode = '', oid = '', stage = ''] = record.toString('latin1', 0, tab).split(' ');
    const entry = { object: `${mode} ${oid}`, stage, skipped: tag === 'S' || tag === 's' };
    return [bytePathFromBuffer(record.subarray(tab + 1)), entry];
  });
  return new Map(entries);
}

/**
 * Input for `--index-info`, which drops what the index believes of each file (its times, “assume unchanged”) and removes
 * what is not there, and the files to read.
 */
function plan(
  paths: readonly BytePath[],
  fingerprints: ReadonlyMap<BytePath, string>,
  entries: ReadonlyMap<BytePath, IndexEntry>,
): { readonly reset: string; readonly read: string } {
  let [reset, read] = ['', ''];
  for (const path of paths) {
    const entry = entries.get(path);
    const isFile = fingerprints.get(path)?.startsWith('file') ?? false;
    if (entry?.object.startsWith('160000') || (entry?.skipped && !isFile)) continue;
    if (isFile) read += `${path}\0`;
    if (entry !== undefined) reset += isFile ? `${entry.object} 0\t${path}\0` : `${removalOf(entry)}\t${path}\0`;
  }
  return { reset, read };
}

function removalOf({ object }: IndexEntry): string {
  return `0 ${'0'.repeat(object.length - object.indexOf(' ') - 1)}`;
}

async function fingerprintsOf(worktree: string, paths: readonly BytePath[]): Promise<Map<BytePath, string>> {
  const found = new Map<BytePath, string>();
  for (const path of paths) found.set(path, await fingerprint(worktree, path));
  return found;
}

/** `file …` for what git can record; what lies beyond a symbolic link is not in the checkout. */
async function fingerprint(worktree: string, path: BytePath): Promise<string> {
  for (const parent of parentsOf(path)) {
    const above = await ifPresent(lstat(onDisk(worktree, parent)));
    if (above !== undefined && !above.isDirectory()) return 'absent';
  }
  const found = await ifPresent(lstat(onDisk(worktree, path), { bigint: true }));
  if (found === undefined) return 'absent';
  const kind = found.isFile() || found.isSymbolicLink() ? 'file' : 'other';
  return `${kind} ${found.dev} ${found.ino} ${found.mode} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
}
