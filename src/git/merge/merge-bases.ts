/** The merge bases of every pair of many commits, from one walk over the history between them. */
import { hasCode } from '../../domain/error.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';

export interface Bases {
  /** All of them; none for histories that share nothing. Undefined for a pair the walk does not tell about. */
  of(left: Oid, right: Oid): readonly Oid[] | undefined;
  /** Of the tips and their bases. */
  treeOf(commit: Oid): Oid | undefined;
  /** What they all descend from. */
  readonly common: Oid | undefined;
}

export interface Node {
  readonly oid: Oid;
  readonly tree: Oid;
  readonly parents: readonly Oid[];
}

/** `hint`: what earlier tips had in common, which saves asking where it still holds. */
export async function mergeBases(git: HostGit, tips: readonly Oid[], hint?: Oid): Promise<Bases> {
  const distinct = [...new Set(tips)];
  const quick = hint === undefined ? undefined : await historyIfAllReach(git, distinct, hint);
  if (quick !== undefined) return basesIn(quick, distinct, hint);
  const { common, related } = await commonAncestor(git, distinct);
  return basesIn(common === undefined ? [] : await historyOf(git, related, common), related, common);
}

function basesIn(nodes: readonly Node[], tips: readonly Oid[], common: Oid | undefined): Bases {
  const found = basesByPair(nodes, tips);
  const trees = new Map(nodes.map(({ oid, tree }) => [oid, tree]));
  const places = new Map(tips.map((tip, index) => [tip, index]));
  return {
    of: (left, right) => {
      const [one, other] = [places.get(left), places.get(right)];
      return one === undefined || other === undefined ? undefined : (found.get(pairKey(one, other, tips.length)) ?? []);
    },
    treeOf: (commit) => trees.get(commit),
    common,
  };
}

/** Undefined where some tip does not descend from `common`, or it is unknown by now. */
async function historyIfAllReach(
  git: HostGit,
  tips: readonly Oid[],
  common: Oid,
): Promise<readonly Node[] | undefined> {
  let nodes: readonly Node[];
  try {
    nodes = await historyOf(git, tips, common);
  } catch (error) {
    if (hasCode(error, 'git-failed')) return undefined;
    throw error;
  }
  const reaches = new Set<Oid>([common]);
  for (const { oid, parents } of nodes.toReversed()) if (parents.some((each) => reaches.has(each))) reaches.add(oid);
  return tips.every((tip) => reaches.has(tip)) ? nodes : undefined;
}

/**
 * By `pairKey`. `nodes` come children first. A commit is a best common ancestor of two tips if both reach it and do not both reach one of
 * its children.
 */
export function basesByPair(nodes: readonly Node[], tips: readonly Oid[]): ReadonlyMap<number, readonly Oid[]> {
  const found = new Map<number, Oid[]>();
  const own = new Map(tips.map((tip, index) => [tip, 1n << BigInt(index)]));
  const reaching = new Map<Oid, Set<bigint>>();
  for (const { oid, parents } of nodes) {
    const children = reaching.get(oid) ?? new Set();
    reaching.delete(oid);
    const mask = [...children].reduce((sum, each) => sum | each, own.get(oid) ?? 0n);
    if (!children.has(mask)) addBases(found, oid, mask, children, tips.length);
    for (const parent of parents) reaching.set(parent, (reaching.get(parent) ?? new Set()).add(mask));
  }
  return found;
}

function addBases(
  found: Map<number, Oid[]>,
  base: Oid,
  mask: bigint,
  children: ReadonlySet<bigint>,
  tips: number,
): void {
  const covered = new Set<number>();
  for (const child of children) for (const pair of pairsIn(child, tips)) covered.add(pair);
  for (const pair of pairsIn(mask, tips)) {
    if (covered.has(pair)) continue;
    const bases = found.get(pair);
    if (bases === undefined) found.set(pair, [base]);
    else bases.push(base);
  }
}

/** Pairs of the tips whose bits are set, as `pairKey` numbers them. */
function* pairsIn(mask: bigint, tips: number): Generator<number> {
  const digits = mask.toString(2);
  const set: number[] = [];
  for (let index = 0; index < digits.length; index++) if (digits.at(-1 - index) === '1') set.push(index);
  for (const [at, left] of set.entries()) for (const right of set.slice(at + 1)) yield pairKey(left, right, tips);
}

function pairKey(left: number, right: number, tips: number): number {
  return Math.min(left, right) * tips + Math.max(left, right);
}

/** Something all of them descend from, so that no more of the history is read than tells them apart. */
async function commonAncestor(git: HostGit, tips: readonly Oid[]) {
  const related = tips.length < 2 ? tips : await relatedTips(git, tips);
  if (related.length === 0) return { common: undefined, related };
  return { common: await octopusBase(git, related), related };
}

async function octopusBase(git: HostGit, tips: readonly Oid[]): Promise<Oid | undefined> {
  const { stdout } = await git.run(['merge-base', '--octopus', ...tips], { allow: [0, 1] });
  const [line = ''] = stdout.toString('latin1').split('\n');
  return line === '' ? undefined : parseOid(line);
}

/** All of them as a rule; where some share no history with the others, the greater part. */
async function relatedTips(git: HostGit, tips: readonly Oid[]): Promise<readonly Oid[]> {
  if ((await octopusBase(git, tips)) !== undefined) return tips;
  for (const anchor of tips.slice(0, 3)) {
    const related: Oid[] = [];
    for (const tip of tips) if ((await octopusBase(git, [anchor, tip])) !== undefined) related.push(tip);
    if (related.length * 2 > tips.length && (await octopusBase(git, related)) !== undefined) return related;
  }
  return [];
}

/** Down to `common`, which is in it where anything is. Other commits at the border are ancestors of it: no base is among them. */
async function historyOf(git: HostGit, tips: readonly Oid[], common: Oid): Promise<readonly Node[]> {
  const args = ['rev-list', '--topo-order', '--boundary', '--no-commit-header', '--format=%m %H %T %P', '--stdin'];
  const { stdout } = await git.run(args, { input: [...tips, `^${common}`, ''].join('\n') });
  const lines = stdout
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '');
  return lines.flatMap((line) => {
    const [mark, oid = '', tree = '', ...parents] = line.trimEnd().split(' ');
    if (mark === '-' && oid !== common) return [];
    return [{ oid: parseOid(oid), tree: parseOid(tree), parents: mark === '-' ? [] : parents.map(parseOid) }];
  });
}
