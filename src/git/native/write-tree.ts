/** Writes a tree that differs from another in some paths, at a cost that follows the edits and not the tree. */
import { createHash } from 'node:crypto';
import { type BytePath, bytePathFromText } from '../../domain/byte-path.ts';
import type { FileMode } from '../../domain/change.ts';
import { CoppiceError } from '../../domain/error.ts';
import { type ObjectFormat, type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { parseTree } from '../objects/tree-object.ts';
import { readObjects } from './cat-file.ts';
import {
  componentsOf,
  type Directory,
  directoriesAlong,
  directoryOf,
  edit,
  grow,
  isDirectory,
  type Leaf,
} from './tree-draft.ts';

/** Objects are on the disk before their name is given out. */
export const durable = ['core.fsync=committed'];

export interface TreeEdit {
  readonly path: BytePath;
  readonly entry: { readonly mode: FileMode | '040000'; readonly oid: Oid } | null;
}

/** `start` may be a commit. */
export async function writeTree(
  git: HostGit,
  format: ObjectFormat,
  start: Oid | null,
  edits: readonly TreeEdit[],
): Promise<Oid> {
  const root = await draft(
    git,
    format,
    start,
    edits.map((each) => each.path),
  );
  for (const { path, entry } of edits) edit(root, componentsOf(path), entry);
  const pending: Pending[] = [];
  const oid = collect(root, format, pending);
  if (oid === undefined) return emptyTree(git);
  const input = Buffer.concat(pending.map((tree) => tree.input));
  const { stdout } = await git.run(['mktree', '--batch', '-z'], { input, config: durable });
  const written = stdout.toString('latin1').trim().split('\n').at(-1);
  if (written !== oid)
    throw new CoppiceError('bug', 'tree-differs', `git wrote tree ${written} where ${oid} was expected.`);
  return oid;
}

export async function emptyTree(git: HostGit): Promise<Oid> {
  return parseOid(await git.text(['hash-object', '-t', 'tree', '-w', '--stdin'], { config: durable }));
}

export function textEdits(
  edits: readonly { readonly path: string; readonly entry: TreeEdit['entry'] }[],
): readonly TreeEdit[] {
  return edits.map(({ path, entry }) => ({ path: bytePathFromText(path), entry }));
}

/** One process reads every directory along the paths, by name. */
async function draft(
  git: HostGit,
  format: ObjectFormat,
  start: Oid | null,
  paths: readonly BytePath[],
): Promise<Directory> {
  const root = directoryOf([]);
  if (start === null) return root;
  const directories = directoriesAlong(paths);
  const names = directories.map((path) => (path === '' ? `${start}^{tree}` : `${start}:${path}`));
  for (const [index, object] of (await readObjects(git, names, {}, 'latin1')).entries()) {
    const path = directories[index];
    if (path === undefined || object?.type !== 'tree') continue;
    const read = directoryOf(parseTree(object.content, format));
    if (path === '') for (const [name, entry] of read.entries) root.entries.set(name, entry);
    else grow(root, path, read);
  }
  return root;
}

interface Pending {
  readonly input: Buffer;
}

/** Children first, as mktree wants to find them. Undefined for a directory without content. */
function collect(directory: Directory, format: ObjectFormat, into: Pending[]): Oid | undefined {
  const leaves: (readonly [string, Leaf])[] = [];
  for (const [name, entry] of directory.entries) {
    if (!isDirectory(entry)) leaves.push([name, entry]);
    else {
      const oid = collect(entry, format, into);
      if (oid !== undefined) leaves.push([name, { mode: '040000', oid }]);
    }
  }
  if (leaves.length === 0) return undefined;
  into.push({ input: Buffer.concat([...leaves.map(inputLine), Buffer.of(0)]) });
  return nameOfTree(leaves, format);
}

const typeOf = { '040000': 'tree', '160000': 'commit', '100644': 'blob', '100755': 'blob', '120000': 'blob' } as const;

function inputLine([name, { mode, oid }]: readonly [string, Leaf]): Buffer {
  return Buffer.from(`${mode} ${typeOf[mode]} ${oid}\t${name}\0`, 'latin1');
}

/** Git orders entries as if directories ended in a slash. */
function nameOfTree(leaves: readonly (readonly [string, Leaf])[], format: ObjectFormat): Oid {
  const key = ([name, { mode }]: readonly [string, Leaf]) => (mode === '040000' ? `${name}/` : name);
  const sorted = leaves.toSorted((left, right) => (key(left) < key(right) ? -1 : 1));
  const content = Buffer.concat(
    sorted.map(([name, { mode, oid }]) =>
      Buffer.concat([Buffer.from(`${mode.replace(/^0/, '')} ${name}\0`, 'latin1'), Buffer.from(oid, 'hex')]),
    ),
  );
  return parseOid(createHash(format).update(`tree ${content.length}\0`).update(content).digest('hex'));
}
