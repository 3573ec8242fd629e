/**
 * Remembered resolutions: git's rerere, on objects and shared by all environments. One reference holds a commit chain whose
 * tree is laid out as git's rr-cache: `<id>/preimage` and `<id>/postimage`, further variants as `preimage.1`, and beside
 * them `about.json`. They are taken from merge commits, by merging the parents again; what an agent's own git remembers
 * is never looked at.
 */
import { type BytePath, bytePathFromText, textOf } from '../../domain/byte-path.ts';
import type { FileMode } from '../../domain/change.ts';
import { type ConflictImage, conflictImage } from '../../domain/conflict-image.ts';
import { countConflicts, isBinary } from '../../domain/conflict-markers.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { resolutionsRef } from '../../domain/ref-layout.ts';
import type { Conflict, MergeOutcome } from '../../git/merging.ts';
import type { CommitInfo, ListedEntry } from '../../git/repository.ts';
import type { Workplace } from '../workplace.ts';

type Conflicted = Extract<MergeOutcome, { kind: 'conflict' }>;

/** What is remembered of one conflict, whatever its variants. */
export interface About {
  /** Where it came up, newest last. */
  readonly paths: readonly string[];
  /** The environment and the merge commit that it was taken from last, and when that was made (ISO 8601). */
  readonly environment: string;
  readonly commit: string;
  readonly date: string;
}

export interface Remembered extends About {
  readonly id: string;
}

export interface Recalled {
  readonly path: BytePath;
  readonly id: string;
  readonly mode: FileMode;
  readonly content: Buffer;
}

/** Variants of one id: the same conflict in surroundings so different that one resolution does not fit the other. */
const mostVariants = 4;
const variants = Array.from({ length: mostVariants }, (_, index) => (index === 0 ? '' : `.${index}`));

/** Merge commits looked at when an environment's HEAD has moved. */
const mostMerges = 20;

/**
 * Remembers how the merges between two states of an environment's HEAD were resolved. What cannot be (objects that are
 * missing, a lock that stays) is resolved by hand again: no reason to keep commits from coming out.
 */
export async function rememberMerges(workplace: Workplace, environment: string, before: Oid, after: Oid) {
  if (before === after) return;
  try {
    await rememberNew(workplace, environment, before, after);
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.kind === 'bug') throw error;
  }
}

async function rememberNew(workplace: Workplace, environment: string, before: Oid, after: Oid): Promise<void> {
  const own = await workplace.repository.log({ start: after, exclude: [before], firstParent: true, limit: 500 });
  const merges = own.filter(({ parents }) => parents.length === 2).slice(0, mostMerges);
  for (const merge of merges.reverse()) await remember(workplace, environment, merge);
}

/** Remembers the conflicts of one merge commit; their paths. */
export async function remember(
  workplace: Workplace,
  environment: string,
  merge: CommitInfo,
): Promise<readonly string[]> {
  const outcome = await mergeAgain(workplace, merge);
  if (outcome === undefined) return [];
  const found: Resolution[] = [];
  const images = await imagesOf(workplace, outcome);
  const wanted = images.map(({ path }) => ({ treeish: merge.oid, path: textOf(path) }));
  const resolved = await workplace.repository.readBlobsAt(wanted);
  for (const [index, { path, image }] of images.entries()) {
    const content = resolved[index];
    if (content === undefined || isBinary(content) || countConflicts(content) > 0) continue;
    found.push({ path: textOf(path), image, content });
  }
  if (found.length > 0) await write(workplace, environment, merge, found);
  return found.map(({ path }) => path);
}

/** Most merges are clean, and then nothing of them is kept. */
async function mergeAgain({ merging }: Workplace, { parents }: CommitInfo): Promise<Conflicted | undefined> {
  const [ours, theirs] = parents;
  if (ours === undefined || theirs === undefined) return undefined;
  try {
    if ((await merging.merge(ours, theirs, { keep: false })).kind === 'clean') return undefined;
    const outcome = await merging.merge(ours, theirs, { style: 'zdiff3' });
    return outcome.kind === 'conflict' ? outcome : undefined;
  } catch (error) {
    if (hasCode(error, 'unrelated-histories')) return undefined;
    throw error;
  }
}

interface Imaged {
  readonly path: BytePath;
  readonly conflict: Conflict;
  readonly image: ConflictImage;
}

/** As in git, what has both sides as ordinary files. `outcome` must be written in the style zdiff3. */
async function imagesOf({ repository }: Workplace, outcome: Conflicted): Promise<readonly Imaged[]> {
  const texts = outcome.conflicts.filter(
    // A path that is not UTF-8 cannot be asked for as text.
    ({ path, ours, theirs }) => isFile(ours?.mode) && isFile(theirs?.mode) && bytePathFromText(textOf(path)) === path,
  );
  const contents = await repository.readBlobsAt(
    texts.map(({ path }) => ({ treeish: outcome.tree, path: textOf(path) })),
  );
  return texts.flatMap((conflict, index) => {
    const content = contents[index];
    const image = content === undefined ? undefined : conflictImage(content, repository.objectFormat);
    return image === undefined ? [] : [{ path: conflict.path, conflict, image }];
  });
}

function isFile(mode: FileMode | undefined): boolean {
  return mode === '100644' || mode === '100755';
}

/** How the conflicts of a merge were resolved before, as far as that is known and fits. */
export async function recall(workplace: Workplace, outcome: Conflicted): Promise<readonly Recalled[]> {
  const store = await workplace.repository.readRef(resolutionsRef);
  if (store === undefined) return [];
  const found: Recalled[] = [];
  for (const { path, conflict, image } of await imagesOf(workplace, outcome)) {
    const content = await applied(workplace, store, image);
    if (content !== undefined) found.push({ path, id: image.id, mode: modeOf(conflict), content });
  }
  return found;
}

/** Of the modes that differ the one that was changed, as in any three-way merge. */
function modeOf({ base, ours, theirs }: Conflict): FileMode {
  const changed = base?.mode === ours?.mode ? theirs?.mode : ours?.mode;
  return changed ?? '100644';
}

/** The step from preimage to postimage, made here: the newest variant that fits. */
async function applied(workplace: Workplace, store: Oid, { id, image }: ConflictImage): Promise<Buffer | undefined> {
  const known = await readVariants(workplace, store, id);
  for (const { preimage, postimage } of known.toReversed()) {
    const content = preimage.equals(image) ? postimage : await workplace.merging.mergeTexts(preimage, image, postimage);
    if (content !== undefined && countConflicts(content) === 0) return content;
  }
  return undefined;
}

interface Variant {
  readonly suffix: string;
  readonly preimage: Buffer;
  readonly postimage: Buffer;
}

async function readVariants({ repository }: Workplace, store: Oid, id: string): Promise<readonly Variant[]> {
  const wanted = variants.flatMap((suffix) =>
    ['preimage', 'postimage'].map((name) => ({ treeish: store, path: `${id}/${name}${suffix}` })),
  );
  const contents = await repository.readBlobsAt(wanted);
  return variants.flatMap((suffix, index) => {
    const [preimage, postimage] = [contents[2 * index], contents[2 * index + 1]];
    return preimage === undefined || postimage === undefined ? [] : [{ suffix, preimage, postimage }];
  });
}

interface Resolution {
  readonly path: string;
  readonly image: ConflictImage;
  readonly content: Buffer;
}

async function write(
  workplace: Workplace,
  environment: string,
  merge: CommitInfo,
  found: readonly Resolution[],
): Promise<void> {
  const { repository } = workplace;
  const paths = [...new Set(found.map(({ path }) => path))];
  await change(workplace, `remember ${paths.join(', ').slice(0, 60)}`, async (store) => {
    let tree = store;
    for (const { path, image, content } of found) {
      const known = tree === null ? [] : await readVariants(workplace, tree, image.id);
      const suffix = suffixFor(known, image.image);
      const about: About = {
        paths: [...new Set([...((await readAbout(workplace, tree, image.id))?.paths ?? []), path])],
        environment,
        commit: merge.oid,
        date: new Date(merge.committer.seconds * 1000).toISOString(),
      };
      const blobs = {
        [`preimage${suffix}`]: image.image,
        [`postimage${suffix}`]: content,
        'about.json': Buffer.from(`${JSON.stringify(about, null, 2)}\n`),
      };
      const edits = [];
      for (const [name, bytes] of Object.entries(blobs)) {
        const oid = await repository.writeBlob(bytes);
        edits.push({ path: `${image.id}/${name}`, entry: { mode: '100644' as const, oid } });
      }
      tree = await repository.writeTree(tree, edits);
    }
    return tree;
  });
}

/** The same surroundings are resolved anew; else the next free one, and when all are taken the last. */
function suffixFor(known: readonly Variant[], image: Buffer): string {
  const same = known.find(({ preimage }) => preimage.equals(image));
  return same?.suffix ?? variants[Math.min(known.length, mostVariants - 1)] ?? '';
}

async function readAbout({ repository }: Workplace, store: Oid | null, id: string): Promise<About | undefined> {
  const blob = store === null ? undefined : await repository.readBlobAt(store, `${id}/about.json`);
  return blob === undefined ? undefined : (JSON.parse(blob.toString('utf8')) as About);
}

/** By compare-and-swap; when somebody else was faster, again on top of that. Nothing is written when nothing changes. */
async function change(
  { repository }: Workplace,
  subject: string,
  edit: (tree: Oid | null) => Promise<Oid | null>,
): Promise<void> {
  for (;;) {
    const before = (await repository.readRef(resolutionsRef)) ?? null;
    const tree = before === null ? null : (await repository.readCommit(before)).tree;
    const next = await edit(tree);
    if (next === tree || next === null) return;
    const author = { name: 'coppice', email: 'coppice@localhost' };
    const parents = before === null ? [] : [before];
    const message = `${subject}\n`;
    const after = await repository.writeCommit({ tree: next, parents, author, committer: author, message });
    try {
      await repository.updateRefs([{ name: resolutionsRef, before, after }], `coppice: ${subject}`);
      return;
    } catch (error) {
      if (!hasCode(error, 'ref-moved')) throw error;
    }
  }
}

/** Everything remembered, by path. */
export async function listRemembered({ repository }: Workplace): Promise<readonly Remembered[]> {
  const store = await repository.readRef(resolutionsRef);
  if (store === undefined) return [];
  const ids = (await repository.listTree(store)).map(({ path }) => textOf(path));
  const blobs = await repository.readBlobsAt(ids.map((id) => ({ treeish: store, path: `${id}/about.json` })));
  const all = ids.flatMap((id, index) => {
    const blob = blobs[index];
    return blob === undefined ? [] : [{ id, ...(JSON.parse(blob.toString('utf8')) as About) }];
  });
  return all.sort((left, right) => (sortKey(left) < sortKey(right) ? -1 : 1));
}

const sortKey = ({ paths, date }: Remembered) => `${paths.at(-1) ?? ''}\0${date}`;

/** Forgets what was remembered of a path, or one conflict by the beginning of its id. Throws `nothing-remembered`. */
export async function forget(workplace: Workplace, what: string): Promise<readonly Remembered[]> {
  const all = await listRemembered(workplace);
  const matches = all.filter(({ id, paths }) => paths.includes(what) || (what.length >= 7 && id.startsWith(what)));
  if (matches.length === 0) {
    throw new CoppiceError('not-found', 'nothing-remembered', `No resolution of ${what} is remembered.`, {
      hint: '`coppice resolve --remembered` lists what there is.',
      data: { path: what },
    });
  }
  await change(workplace, `forget ${what.slice(0, 60)}`, async (tree) => {
    if (tree === null) return null;
    const entries: readonly ListedEntry[] = await workplace.repository.listTree(tree, { recursive: true });
    const gone = new Set(matches.map(({ id }) => id));
    const paths = entries.map(({ path }) => textOf(path)).filter((path) => gone.has(path.split('/')[0] ?? ''));
    return workplace.repository.writeTree(
      tree,
      paths.map((path) => ({ path, entry: null })),
    );
  });
  return matches;
}
