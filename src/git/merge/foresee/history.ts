/**
 * The history between many commits, remembered: what two of them have in common is told without a process, and of commits
 * that come on top of known ones only they are read.
 */
import { hasCode } from '../../../domain/error.ts';
import { isOid, type Oid, parseOid } from '../../../domain/oid.ts';
import type { ObjectReader } from '../../checkpoint/object-reader.ts';
import type { HostGit } from '../../host-git.ts';

export interface Bases {
  /** The best common ancestors, all of them. Undefined for a commit that shares nothing with the others, or is not there. */
  of(left: Oid, right: Oid): readonly Oid[] | undefined;
  /** Of the commits and their bases. */
  treeOf(commit: Oid): Oid | undefined;
}

export interface History {
  /** What any two of `tips` have in common. Those that come up more often are asked about more often. */
  bases(tips: readonly Oid[], reader: ObjectReader): Promise<Bases>;
}

interface Commit {
  readonly tree: Oid;
  readonly parents: readonly Oid[];
}

/** Everything that reaches `common` and is not above it is in `commits`; what they name besides is above it. */
interface Known {
  readonly commits: Map<Oid, Commit>;
  /** Those that descend from `common`, and it. */
  readonly below: Set<Oid>;
  /** Tips that do not, or that are not there. */
  readonly strangers: Set<Oid>;
}

/** More new commits than this are read by a process. */
const fewCommits = 60;
/** Commits remembered. */
const mostCommits = 200_000;

export function openHistory(git: HostGit): History {
  let known: Known | undefined;
  return {
    async bases(tips, reader) {
      const distinct = [...new Set(tips)];
      const now = known !== undefined && (await extend(known, distinct, reader)) ? known : await load(git, distinct);
      known = now;
      return basesIn(now, timesOf(tips));
    },
  };
}

/** False where too much is new, or not all of it descends from what the known ones have in common. */
async function extend(known: Known, tips: readonly Oid[], reader: ObjectReader): Promise<boolean> {
  const { commits, strangers } = known;
  const fresh: Oid[] = [];
  for (let open = tips; open.length > 0; ) {
    const missing = [...new Set(open)].filter((oid) => !commits.has(oid) && !strangers.has(oid));
    if (fresh.length + missing.length > fewCommits || commits.size > mostCommits) return false;
    const found = await Promise.all(missing.map((oid) => readCommit(reader, oid)));
    open = [];
    for (const [index, oid] of missing.entries()) {
      const commit = found[index];
      if (commit === undefined) return false;
      if (commit.parents.length > 0 && commit.parents.every((parent) => strangers.has(parent))) strangers.add(oid);
      else {
        commits.set(oid, commit);
        fresh.push(oid);
        open = [...open, ...commit.parents];
      }
    }
  }
  return settle(known, fresh);
}

/** Whether all of them descend from the common one and from no stranger. */
function settle({ commits, below, strangers }: Known, fresh: readonly Oid[]): boolean {
  let open = fresh;
  for (;;) {
    const rest = open.filter((oid) => {
      const parents = commits.get(oid)?.parents ?? [];
      if (!parents.some((parent) => below.has(parent)) || parents.some((parent) => strangers.has(parent))) return true;
      below.add(oid);
      return false;
    });
    if (rest.length === 0 || rest.length === open.length) return rest.length === 0;
    open = rest;
  }
}

async function readCommit(reader: ObjectReader, oid: Oid): Promise<Commit | undefined> {
  const object = await reader.read(oid);
  if (object?.kind !== 'commit') return undefined;
  const parents: Oid[] = [];
  let tree: Oid | undefined;
  for (const line of object.content.toString('latin1').split('\n')) {
    const [key, value = ''] = line.split(' ');
    if (key === 'tree' && isOid(value)) tree = value;
    else if (key === 'parent' && isOid(value)) parents.push(value);
    else break;
  }
  return tree === undefined ? undefined : { tree, parents };
}

function timesOf(tips: readonly Oid[]): ReadonlyMap<Oid, number> {
  const times = new Map<Oid, number>();
  for (const tip of tips) times.set(tip, (times.get(tip) ?? 0) + 1);
  return times;
}

/** `times`: how often each is asked about. What is above the one asked about more is looked up once. */
function basesIn({ commits, below }: Known, times: ReadonlyMap<Oid, number>): Bases {
  let ancestors: { readonly of: Oid; readonly all: ReadonlySet<Oid> } | undefined;
  const ancestorsOf = (tip: Oid) => {
    if (ancestors?.of !== tip) ancestors = { of: tip, all: reachable([tip], commits) };
    return ancestors.all;
  };
  return {
    treeOf: (commit) => commits.get(commit)?.tree,
    of(left, right) {
      if (!below.has(left) || !below.has(right)) return undefined;
      const [often, seldom] = (times.get(left) ?? 0) < (times.get(right) ?? 0) ? [right, left] : [left, right];
      const first = firstWithin(seldom, ancestorsOf(often), commits);
      if (first.length < 2) return first;
      // Not best: what another one has above it.
      const above = first.map((oid) => reachable(commits.get(oid)?.parents ?? [], commits));
      return first.filter((oid) => !above.some((each) => each.has(oid)));
    },
  };
}

/** With what they start from. */
function reachable(from: readonly Oid[], commits: Known['commits']): ReadonlySet<Oid> {
  const found = new Set<Oid>();
  const open = [...from];
  for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
    const commit = commits.get(oid);
    if (commit === undefined || found.has(oid)) continue;
    found.add(oid);
    open.push(...commit.parents);
  }
  return found;
}

/** On every way up from `tip` the first of them; what is above is not looked at. */
function firstWithin(tip: Oid, shared: ReadonlySet<Oid>, commits: Known['commits']): readonly Oid[] {
  const met = new Set<Oid>();
  const first: Oid[] = [];
  const open = [tip];
  for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
    if (met.has(oid)) continue;
    met.add(oid);
    if (shared.has(oid)) first.push(oid);
    else open.push(...(commits.get(oid)?.parents ?? []));
  }
  return first;
}

async function load(git: HostGit, tips: readonly Oid[]): Promise<Known> {
  const { common, related } = await commonAncestor(git, tips);
  const commits = common === undefined ? new Map<Oid, Commit>() : await historyOf(git, related, common);
  const below = new Set<Oid>(common === undefined ? [] : [common]);
  // Children come first.
  for (const [oid, { parents }] of [...commits].reverse()) if (parents.some((each) => below.has(each))) below.add(oid);
  return { commits, below, strangers: new Set(tips.filter((tip) => !below.has(tip))) };
}

/** Something all of them descend from, so that no more of the history is read than tells them apart. */
async function commonAncestor(git: HostGit, tips: readonly Oid[]) {
  const there = await octopusBase(git, tips);
  if (there !== undefined) return { common: there, related: tips };
  const related = await relatedTips(git, tips);
  return { common: related.length === 0 ? undefined : await octopusBase(git, related), related };
}

/** None as well where one of them is not there. */
async function octopusBase(git: HostGit, tips: readonly Oid[]): Promise<Oid | undefined> {
  const { stdout } = await git.run(['merge-base', '--octopus', ...tips], { allow: [0, 1, 128] });
  const [line = ''] = stdout.toString('latin1').split('\n');
  return line === '' ? undefined : parseOid(line);
}

/** Where some share no history with the others, the greater part. */
async function relatedTips(git: HostGit, tips: readonly Oid[]): Promise<readonly Oid[]> {
  for (const anchor of tips.slice(0, 3)) {
    const related: Oid[] = [];
    for (const tip of tips) if ((await octopusBase(git, [anchor, tip])) !== undefined) related.push(tip);
    if (related.length * 2 > tips.length && (await octopusBase(git, related)) !== undefined) return related;
  }
  return [];
}

/** Down to `common`, which is in it. Other commits at the border are ancestors of it: no base is among them. */
async function historyOf(git: HostGit, tips: readonly Oid[], common: Oid): Promise<Map<Oid, Commit>> {
  const commits = new Map<Oid, Commit>();
  const args = ['rev-list', '--topo-order', '--boundary', '--no-commit-header', '--format=%m %H %T %P', '--stdin'];
  try {
    const { stdout } = await git.run(args, { input: [...tips, `^${common}`, ''].join('\n') });
    for (const line of stdout.toString('latin1').split('\n')) {
      const [mark, oid = '', tree = '', ...parents] = line.trimEnd().split(' ');
      if (oid === '' || (mark === '-' && oid !== common)) continue;
      commits.set(parseOid(oid), { tree: parseOid(tree), parents: mark === '-' ? [] : parents.map(parseOid) });
    }
    return commits;
  } catch (error) {
    // A history that cannot be read whole tells nothing.
    if (hasCode(error, 'git-failed')) return new Map();
    throw error;
  }
}
