/**
 * A part of an environment's work, as commits of their own on the merge base: chosen paths, commits or hunks. Merged as
 * such into a branch and into the environment, git itself knows afterwards what is already there, and the rest merges cleanly.
 */
import { textOf } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { CommitInfo, Identity } from '../../git/repository.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { type FileOffer, offersBetween } from './part-offers.ts';
import { oldestFirst, replay } from './replay.ts';
import type { MergeStart } from './start.ts';

/** What to do with each file's change, in the order offered. */
export type Choice = { readonly content: Buffer } | 'all' | 'none';

export type Selection =
  /** Files and directories, from the top of the tree. */
  | { readonly kind: 'paths'; readonly paths: readonly string[] }
  /** Revisions, or ranges `A..B`. */
  | { readonly kind: 'commits'; readonly revisions: readonly string[] }
  | { readonly kind: 'hunks'; readonly choose: (offers: readonly FileOffer[]) => Promise<readonly Choice[]> };

export interface Part {
  /** Stands on the merge base, or is one of the environment's own commits. */
  readonly commit: Oid;
  readonly tree: Oid;
  /** Commits that a rebase would replay: those chosen. Empty for paths and hunks. */
  readonly commits: readonly CommitInfo[];
}

export interface PartRequest {
  readonly selection: Selection;
  readonly start: MergeStart;
  /** The environment's commit to choose from. */
  readonly from: Oid;
  /** The branch's commit: what it has is not offered. */
  readonly before: Oid;
  readonly author: Identity;
  /** Of the commit made from paths or hunks. */
  readonly message: string;
}

/** Throws `nothing-chosen`, `no-change-there`, `commit-not-there`, `part-depends` (kind `conflict`). */
export async function partOf(workplace: Workplace, environment: Environment, request: PartRequest): Promise<Part> {
  const { selection } = request;
  if (selection.kind === 'commits') return partOfCommits(workplace, environment, request, selection.revisions);
  const offers = await offersBetween(workplace.repository, request.start.tree, request.from);
  const choices =
    selection.kind === 'paths' ? chooseByPath(environment, offers, selection.paths) : await selection.choose(offers);
  return partOfFiles(workplace, request, offers, choices);
}

async function partOfFiles(
  workplace: Workplace,
  { selection, start, from, author, message }: PartRequest,
  offers: readonly FileOffer[],
  choices: readonly Choice[],
): Promise<Part> {
  const { repository } = workplace;
  const edits: { path: FileOffer['path']; entry: TreeEntry | null }[] = [];
  for (const [index, offer] of offers.entries()) {
    const choice = choices[index] ?? 'none';
    if (choice === 'none') continue;
    if (offer.from !== undefined) edits.push({ path: offer.from, entry: null });
    edits.push({ path: offer.path, entry: await entryOf(repository, offer, choice) });
  }
  if (edits.length === 0) throw nothingChosen();
  const tree = await repository.editTree(start.tree, edits);
  if (selection.kind === 'hunks') await refuseForeign(workplace, { start: start.tree, from, part: tree });
  const commit = await repository.writeCommit({
    tree,
    parents: [start.commit],
    author,
    committer: author,
    message,
  });
  return { commit, tree, commits: [] };
}

/** What the environment does not have itself it would seem to have taken back: a later merge would undo it. */
async function refuseForeign(
  { repository, merging }: Workplace,
  { start, from, part }: { readonly start: Oid; readonly from: Oid; readonly part: Oid },
): Promise<void> {
  const outcome = await merging.mergeTrees(start, from, part, { keep: false });
  if (outcome.kind === 'clean' && outcome.tree === (await repository.readCommit(from)).tree) return;
  const sentence = 'The chosen hunks are not all of the environment’s own change.';
  throw new CoppiceError('usage', 'hunk-not-there', sentence, {
    hint: 'Take hunks out of the patch as `coppice diff` prints it; do not edit their lines.',
  });
}

async function entryOf(
  repository: Workplace['repository'],
  { before, after }: FileOffer,
  choice: Exclude<Choice, 'none'>,
): Promise<TreeEntry | null> {
  if (choice === 'all') return after ?? null;
  // All lines of a file that the environment deleted are gone: so is the file.
  if (after === undefined && choice.content.length === 0) return null;
  return { mode: (after ?? before)?.mode ?? '100644', oid: await repository.writeBlob(choice.content) };
}

function chooseByPath(
  { name }: Environment,
  offers: readonly FileOffer[],
  paths: readonly string[],
): readonly Choice[] {
  const wanted = paths.map((path) => ({ path, at: path.replace(/^\.\//, '').replace(/\/+$/, '') }));
  const has = (at: string, offer: FileOffer) =>
    [offer.path, ...(offer.from === undefined ? [] : [offer.from])].some((each) => {
      const text = textOf(each);
      return at === '.' || at === '' || text === at || text.startsWith(`${at}/`);
    });
  const missing = wanted.find(({ at }) => !offers.some((offer) => has(at, offer)));
  if (missing !== undefined) {
    const changed = offers.slice(0, 8).map(({ path }) => textOf(path));
    throw new CoppiceError('not-found', 'no-change-there', `${name} changes nothing at ${missing.path}.`, {
      hint:
        changed.length === 0
          ? 'It has nothing that the branch lacks.'
          : `Paths are from the top of the tree. It changes ${changed.join(', ')}${offers.length > 8 ? ', …' : ''}.`,
    });
  }
  return offers.map((offer) => (wanted.some(({ at }) => has(at, offer)) ? 'all' : 'none'));
}

async function partOfCommits(
  workplace: Workplace,
  environment: Environment,
  { start, from, before, author }: PartRequest,
  revisions: readonly string[],
): Promise<Part> {
  const { repository } = workplace;
  const exclude = [before, ...(start.delivered === undefined ? [] : [start.delivered])];
  const open = oldestFirst(await repository.log({ start: from, exclude }));
  const chosen = await chosenOf(workplace, environment, open, exclude, revisions);
  const top = chosen.at(-1);
  if (top === undefined) throw nothingChosen();
  // With all that came before it, the commit itself is the part: nothing is made anew.
  const below = await repository.log({ start: top.oid, exclude });
  if (below.length === chosen.length && below.every(({ oid }) => chosen.some((each) => each.oid === oid))) {
    return { commit: top.oid, tree: top.tree, commits: chosen };
  }
  const merge = chosen.find(({ parents }) => parents.length > 1);
  if (merge !== undefined) throw mergeChosen(merge);
  const { commit, tree } = await replay(workplace, {
    commits: chosen,
    onto: { parent: start.commit, tree: start.tree },
    committer: author,
    sign: false,
    hint: `It builds on commits that were not chosen: choose them too (\`coppice log ${environment.name}\`).`,
  });
  return { commit, tree, commits: chosen };
}

/** Oldest first. */
async function chosenOf(
  { repository }: Workplace,
  { name }: Environment,
  open: readonly CommitInfo[],
  exclude: readonly Oid[],
  revisions: readonly string[],
): Promise<readonly CommitInfo[]> {
  const wanted = new Set<Oid>();
  for (const revision of revisions) {
    const [from, to] = revision.includes('..') ? revision.split(/\.{2,3}/) : [undefined, revision];
    const end = await repository.resolveCommit(to || 'HEAD');
    const begin = from === undefined ? undefined : await repository.resolveCommit(from);
    const range =
      end === undefined || (from !== undefined && begin === undefined)
        ? []
        : begin === undefined
          ? [end]
          : (await repository.log({ start: end, exclude: [...exclude, begin] })).map(({ oid }) => oid);
    if (range.length === 0 || range.some((oid) => !open.some((each) => each.oid === oid))) {
      throw notThere(name, revision, open);
    }
    for (const oid of range) wanted.add(oid);
  }
  return open.filter(({ oid }) => wanted.has(oid));
}

function notThere(name: string, revision: string, open: readonly CommitInfo[]): CoppiceError {
  const some = open.slice(-5).map(({ oid, message }) => `${oid.slice(0, 7)} ${message.split('\n')[0] ?? ''}`);
  return new CoppiceError(
    'not-found',
    'commit-not-there',
    `${revision} is no commit of ${name} that the branch lacks.`,
    {
      hint: `Checkpoints cannot be chosen: commit them first. \`coppice log ${name}\` lists the commits${
        some.length === 0 ? '.' : `: ${some.join('; ')}.`
      }`,
    },
  );
}

function mergeChosen({ oid }: CommitInfo): CoppiceError {
  return new CoppiceError('usage', 'merge-chosen', `${oid.slice(0, 7)} is a merge, which cannot be taken alone.`, {
    hint: 'Choose the commits it brought, or everything up to it.',
  });
}

function nothingChosen(): CoppiceError {
  return new CoppiceError('failed', 'nothing-chosen', 'Nothing was chosen, so nothing was merged.');
}
