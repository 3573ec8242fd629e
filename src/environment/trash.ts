/**
 * Puts an environment away and brings it back. What is put away is one commit at refs/coppice/trash/<name>/<time>: its
 * tree lists every reference and holds the held files; its parents keep everything those references reached.
 */

import { textOf } from '../domain/byte-path.ts';
import type { Held } from '../domain/change.ts';
import { type EnvironmentName, parseEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import { type Oid, parseOid } from '../domain/oid.ts';
import { refsOf, trashRef, trashRefs } from '../domain/ref-layout.ts';
import { parseRefName, type RefName } from '../domain/ref-name.ts';
import type { Ref, RefUpdate } from '../git/repository.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './find.ts';
import { allReferences } from './references.ts';
import type { Workplace } from './workplace.ts';

const listFile = 'references';
/** The paths of the held files, in order: not as names in a tree, where git would refuse some of them. */
const heldList = 'held.json';
const heldFile = (index: number) => `held/${index}`;

/**
 * One transaction: the trash reference appears and all others disappear, or nothing happens. Throws `environment-gone` (kind
 * `not-found`) where somebody else has put it away: what is left then is nothing, and would be the newest to restore.
 */
export async function putAway(workplace: Workplace, environment: Environment, held: readonly Held[]): Promise<RefName> {
  const heldFiles = await saveHeld(workplace, environment, held);
  for (let attempt = 1; ; attempt += 1) {
    const refs = await allReferences(workplace, environment);
    if (!refs.some(({ name: ref }) => ref === environment.refs.record)) throw gone(environment);
    const saved = await writeTrash(workplace, environment.name, refs, heldFiles);
    const name = trashRef(environment.name, workplace.now(), attempt);
    const updates: RefUpdate[] = refs.map((ref) => ({ name: ref.name, before: ref.oid, after: null }));
    try {
      await workplace.repository.updateRefs(
        [...updates, { name, before: null, after: saved }],
        `coppice: remove ${environment.name}`,
      );
      return name;
    } catch (error) {
      // A checkpoint landed in between, or the second is taken: save what is there now.
      if (!hasCode(error, 'ref-moved') || attempt >= 20) throw error;
    }
  }
}

function gone({ name }: Environment): CoppiceError {
  return new CoppiceError('not-found', 'environment-gone', `${name} was removed by another command meanwhile.`, {
    hint: `\`coppice restore ${name}\` brings it back.`,
  });
}

interface SavedFile {
  readonly path: string;
  readonly oid: Oid;
}

async function saveHeld(
  workplace: Workplace,
  environment: Environment,
  held: readonly Held[],
): Promise<readonly SavedFile[]> {
  const saved: SavedFile[] = [];
  for (const { path } of held) {
    const text = textOf(path);
    const content = await workplace.readTreeFile(environment.directories.tree, text);
    if (content !== undefined) saved.push({ path: text, oid: await workplace.repository.writeBlob(content) });
  }
  return saved;
}

async function writeTrash(
  workplace: Workplace,
  name: EnvironmentName,
  refs: readonly Ref[],
  held: readonly SavedFile[],
): Promise<Oid> {
  const { repository } = workplace;
  const list = refs.map((ref) => `${ref.oid} ${ref.name}\n`).join('');
  const names = await repository.writeBlob(Buffer.from(JSON.stringify(held.map(({ path }) => path))));
  const tree = await repository.writeTree(null, [
    { path: listFile, entry: { mode: '100644', oid: await repository.writeBlob(Buffer.from(list)) } },
    ...held.map(({ oid }, index) => ({ path: heldFile(index), entry: { mode: '100644' as const, oid } })),
    ...(held.length === 0 ? [] : [{ path: heldList, entry: { mode: '100644' as const, oid: names } }]),
  ]);
  const author = { name: 'coppice', email: 'coppice@localhost' };
  const parents = [...new Set(refs.map((ref) => ref.oid))];
  const message = `remove ${name}\n\nBring it back with: coppice restore ${name}\n`;
  return repository.writeCommit({ tree, parents, author, committer: author, message });
}

export interface Trashed {
  readonly ref: RefName;
  readonly name: EnvironmentName;
  readonly oid: Oid;
}

/** Newest last. */
export async function listTrash(workplace: Workplace, name?: EnvironmentName): Promise<readonly Trashed[]> {
  const refs = await workplace.repository.listRefs(name === undefined ? trashRefs : `${trashRefs}${name}/`);
  return refs.map(({ name: ref, oid }) => ({
    ref,
    oid,
    name: parseEnvironmentName(ref.slice(trashRefs.length).split('/')[0] ?? ''),
  }));
}

export interface BroughtBack {
  readonly environment: Environment;
  readonly held: readonly { readonly path: string; readonly content: Buffer }[];
}

/** Recreates the references of the newest (or the named) trash entry. The entry itself stays until the caller drops it. */
export async function bringBackReferences(workplace: Workplace, trashed: Trashed): Promise<BroughtBack> {
  const { repository } = workplace;
  const list = await repository.readBlobAt(trashed.oid, listFile);
  if (list === undefined) throw broken(trashed);
  const refs = list
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({
      oid: parseOid(line.slice(0, line.indexOf(' '))),
      name: parseRefName(line.slice(line.indexOf(' ') + 1)),
    }));
  try {
    await repository.updateRefs(await bringingBack(workplace, trashed.name, refs), `coppice: restore ${trashed.name}`);
  } catch (error) {
    if (!hasCode(error, 'ref-moved') && !hasCode(error, 'ref-name-taken')) throw error;
    throw new CoppiceError('refused', 'name-taken', `${trashed.name} exists: nothing was restored over it.`, {
      hint: `\`coppice remove ${trashed.name}\` puts the present one away first.`,
      cause: error,
    });
  }
  const environment = await readEnvironment(workplace, trashed.name);
  if (environment === undefined) throw broken(trashed);
  return { environment, held: await readHeld(workplace, trashed.oid) };
}

/**
 * A command that was still looking while another removed the environment may have left a reference behind. Without a record
 * it belongs to nothing and is in the way of nobody; what it holds becomes a tail.
 */
async function bringingBack(
  { repository, settings }: Workplace,
  environment: EnvironmentName,
  refs: readonly Ref[],
): Promise<readonly RefUpdate[]> {
  const names = refsOf(environment, settings.branchPrefix);
  const there = new Map((await repository.listRefs(names.prefix)).map(({ name, oid }) => [name, oid]));
  const strays = there.has(names.record) ? new Map<RefName, Oid>() : there;
  const replaced = refs.flatMap(({ name, oid }) => {
    const stray = strays.get(name);
    return stray === undefined || stray === oid ? [] : [stray];
  });
  const tails = [...refs, ...[...there.keys()].map((name) => ({ name }))]
    .map(({ name }) => (name.startsWith(`${names.prefix}tails/`) ? Number(name.split('/').at(-1)) : 0))
    .filter(Number.isInteger);
  const first = 1 + Math.max(0, ...tails);
  return [
    ...refs.map(({ name, oid }) => ({ name, before: strays.get(name) ?? null, after: oid })),
    ...replaced.map((oid, index) => ({ name: names.tail(first + index), before: null, after: oid })),
  ];
}

async function readHeld(workplace: Workplace, oid: Oid) {
  const list = await workplace.repository.readBlobAt(oid, heldList);
  if (list === undefined) return [];
  const paths = JSON.parse(list.toString('utf8')) as readonly string[];
  const wanted = paths.map((_, index) => ({ treeish: oid, path: heldFile(index) }));
  const contents = await workplace.repository.readBlobsAt(wanted);
  return paths.flatMap((path, index) => {
    const content = contents[index];
    return content === undefined ? [] : [{ path, content }];
  });
}

function broken(trashed: Trashed): CoppiceError {
  return new CoppiceError('failed', 'trash-broken', `${trashed.ref} is not something coppice put away.`, {
    hint: `Look at it with \`git show ${trashed.ref}\`.`,
  });
}
