/** Trees dressed as commits, so that git before 2.40 merges them over a base of the caller's choice. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isOid, type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { MergePair } from '../merging.ts';
import type { Quarantine } from './quarantine.ts';

type Plain = Pick<MergePair, 'ours' | 'theirs'>;

export interface Dressed {
  readonly pairs: readonly Plain[];
  /** The commits made for it; none of them is worth keeping. */
  readonly commits: readonly Oid[];
}

/**
 * Pairs without a base stay as they are. One of which a tree is missing becomes a pair of what is missing: git merges over
 * a base that is not there as if nothing were wrong.
 */
export async function dressPairs(git: HostGit, quarantine: Quarantine, pairs: readonly MergePair[]): Promise<Dressed> {
  if (pairs.every(({ base }) => base === undefined)) return { pairs, commits: [] };
  const trees = await treesOf(git, quarantine, pairs);
  const wanted = pairs.map((pair) => treesOfPair(pair, trees));
  const based = wanted.flatMap((each) => ('base' in each ? [each] : []));
  const roots = await writeCommits(
    git,
    quarantine,
    based.map(({ base }) => textOf(base)),
  );
  const sideOf = (tree: Oid, base: Oid) => textOf(tree, roots.get(textOf(base)));
  const texts = based.flatMap(({ base, ours, theirs }) => [sideOf(ours, base), sideOf(theirs, base)]);
  const sides = await writeCommits(git, quarantine, texts);
  const commitOf = (tree: Oid, base: Oid) => sides.get(sideOf(tree, base)) ?? tree;
  return {
    pairs: wanted.map((each) =>
      'base' in each ? { ours: commitOf(each.ours, each.base), theirs: commitOf(each.theirs, each.base) } : each,
    ),
    commits: [...roots.values(), ...sides.values()],
  };
}

/** The tree of each commit or tree that is named, where it exists. */
async function treesOf(git: HostGit, quarantine: Quarantine, pairs: readonly MergePair[]) {
  const named = [...new Set(pairs.flatMap(({ base, ours, theirs }) => [base ?? ours, ours, theirs]))];
  const input = named.map((oid) => `${oid}^{tree}\n`).join('');
  const lines = (await git.text(['cat-file', '--batch-check'], { input, env: quarantine.env })).split('\n');
  const trees = new Map<Oid, Oid>();
  for (const [index, oid] of named.entries()) {
    const tree = lines[index]?.split(' ')[0] ?? '';
    if (isOid(tree)) trees.set(oid, tree);
  }
  return trees;
}

function treesOfPair(pair: MergePair, trees: ReadonlyMap<Oid, Oid>): Required<MergePair> | Plain {
  if (pair.base === undefined) return { ours: pair.ours, theirs: pair.theirs };
  const [base, ours, theirs] = [trees.get(pair.base), trees.get(pair.ours), trees.get(pair.theirs)];
  if (base !== undefined && ours !== undefined && theirs !== undefined) return { base, ours, theirs };
  const missing = [pair.base, pair.ours, pair.theirs].find((oid) => !trees.has(oid)) ?? pair.base;
  return { ours: missing, theirs: missing };
}

/** By nobody and at no time: equal trees over equal bases make one commit, and a commit merges with itself. */
function textOf(tree: Oid, parent?: Oid): string {
  const person = 'coppice <coppice@localhost> 0 +0000';
  const parents = parent === undefined ? '' : `parent ${parent}\n`;
  return `tree ${tree}\n${parents}author ${person}\ncommitter ${person}\n\n`;
}

/** Their names by their texts. */
async function writeCommits(git: HostGit, quarantine: Quarantine, texts: readonly string[]) {
  const distinct = [...new Set(texts)];
  if (distinct.length === 0) return new Map<string, Oid>();
  const folder = await mkdtemp(join(quarantine.directory, 'commits-'));
  await Promise.all(distinct.map((text, index) => writeFile(join(folder, String(index)), text)));
  const args = ['hash-object', '-t', 'commit', '-w', '--no-filters', '--stdin-paths'];
  const input = distinct.map((_, index) => `${index}\n`).join('');
  const written = (await git.text(args, { cwd: folder, input, env: quarantine.env })).split('\n').map(parseOid);
  return new Map(written.map((oid, index) => [distinct[index] ?? '', oid]));
}
