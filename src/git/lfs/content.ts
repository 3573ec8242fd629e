/**
 * Puts content where a checkout without filters has left Git LFS pointers, as far as this repository has it. In process: no
 * filter runs, and only files that nobody else can write yet are touched.
 */
import { lstat, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BytePath, bytePathFromBuffer, bytesOf } from '../../domain/byte-path.ts';
import { isOid, type Oid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { GitCall, HostGit } from '../host-git.ts';
import { sizesOf } from '../leaks/blobs.ts';
import { readObjects } from '../native/cat-file.ts';
import { fieldsOf, splitNul } from '../native/split-nul.ts';
import { type LfsPointer, largestPointer, parseLfsPointer } from './pointer.ts';
import type { LfsStore } from './store.ts';

/** How many files have which. */
export interface LfsContent {
  readonly content: number;
  /** Their content is not in this repository, or it would have been too much. */
  readonly pointers: number;
}

export interface LfsCheckout {
  readonly git: HostGit;
  readonly store: LfsStore;
  /** With the index that the files were checked out from: its attribute files are the ones that count. */
  readonly call: GitCall;
  /** Where the files are. */
  readonly files: string;
  /** Default: all that the index has. */
  readonly paths?: readonly BytePath[];
  /** Bytes in all; where there is more, all stay pointers. */
  readonly most: number;
}

const none: LfsContent = { content: 0, pointers: 0 };

export async function bringContent(checkout: LfsCheckout): Promise<LfsContent> {
  if (!(await mentionsLfs(checkout))) return none;
  const pointers = await pointersIn(checkout);
  const total = pointers.reduce((sum, { pointer }) => sum + pointer.size, 0);
  if (total > checkout.most) return { content: 0, pointers: pointers.length };
  const replaced: PointerFile[] = [];
  for (const each of pointers) if (await replace(checkout, each)) replaced.push(each);
  await forgetTimes(checkout, replaced);
  return { content: replaced.length, pointers: pointers.length - replaced.length };
}

/** A file of another size than the index knows is modified to git, whatever its filter says; of one unknown it asks. */
async function forgetTimes({ git, call }: LfsCheckout, files: readonly PointerFile[]): Promise<void> {
  if (files.length === 0) return;
  const lines = files.map(({ path, mode, oid }) =>
    Buffer.concat([Buffer.from(`${mode} ${oid}\t`), bytesOf(path), Buffer.from([0])]),
  );
  await git.run(['update-index', '-z', '--index-info'], { ...call, input: Buffer.concat(lines) });
}

/** Nearly every repository is done with this. */
async function mentionsLfs({ git, call }: LfsCheckout): Promise<boolean> {
  const attributes = join(git.commonDirectory, 'info/attributes');
  const shared = await ifPresent(readFile(attributes, 'latin1'));
  if (shared?.includes('filter=lfs')) return true;
  const { stdout } = await git.run(['ls-files', '--cached', '-z', '--stage', '--', ':(glob)**/.gitattributes'], call);
  const oids = splitNul(stdout)
    .map((record) => record.toString('latin1').split(' ')[1] ?? '')
    .filter(isOid);
  const files = await readObjects(git, [...new Set(oids)]);
  return files.some((file) => file?.content.includes('filter=lfs'));
}

interface PointerFile {
  readonly path: BytePath;
  readonly mode: string;
  readonly oid: Oid;
  readonly pointer: LfsPointer;
}

async function pointersIn(checkout: LfsCheckout): Promise<readonly PointerFile[]> {
  const { git } = checkout;
  const files = await filteredFiles(checkout);
  const sizes = await sizesOf(git, [...new Set(files.map(({ oid }) => oid))]);
  const small = files.filter(({ oid }) => (sizes.get(oid) ?? largestPointer) < largestPointer);
  const contents = await readObjects(
    git,
    small.map(({ oid }) => oid),
  );
  return small.flatMap((file, index) => {
    const content = contents[index]?.content;
    const pointer = content === undefined ? undefined : parseLfsPointer(content);
    return pointer === undefined ? [] : [{ ...file, pointer }];
  });
}

/** Files whose attributes name the filter of LFS. */
async function filteredFiles({ git, call, files, paths }: LfsCheckout) {
  const { stdout } = await git.run(['ls-files', '--cached', '-z', '--stage'], call);
  const wanted = paths === undefined ? undefined : new Set(paths);
  const all = splitNul(stdout).map((record) => {
    const tab = record.indexOf(0x09);
    const [mode = '', oid = ''] = record.toString('latin1', 0, tab).split(' ');
    return { path: bytePathFromBuffer(record.subarray(tab + 1)), mode, oid: oid as Oid };
  });
  const regular = all.filter(({ path, mode }) => mode.startsWith('100') && (wanted?.has(path) ?? true));
  const input = Buffer.concat(regular.flatMap(({ path }) => [bytesOf(path), Buffer.from([0])]));
  const asked = await git.run(['check-attr', '--cached', '-z', '--stdin', 'filter'], {
    ...call,
    workTree: files,
    input,
  });
  const fields = fieldsOf(asked.stdout);
  return regular.filter(() => {
    fields.next();
    fields.next();
    return fields.text() === 'lfs';
  });
}

/** In one step, with the mode that the checkout gave it. Sparse or not: what is not on disk stays so. */
async function replace({ store, files }: LfsCheckout, { path, pointer }: PointerFile): Promise<boolean> {
  const target = Buffer.concat([Buffer.from(`${files}/`), bytesOf(path)]);
  const stat = await ifPresent(lstat(target));
  if (stat?.isFile() !== true) return false;
  const draft = Buffer.concat([target, Buffer.from('.coppice-lfs')]);
  try {
    if (!(await store.copyTo(pointer, draft, stat.mode & 0o777))) return false;
    await rename(draft, target);
    return true;
  } finally {
    await rm(draft, { force: true });
  }
}
