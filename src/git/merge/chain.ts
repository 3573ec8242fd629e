/**
 * Many branches into one, one commit each. Where a side's changes have nothing to do with what was merged before, its
 * entries are put into the tree in process; git merges the others, and for what conflicts the caller may know better. All
 * in a quarantine, brought in as one pack.
 */
import { join } from 'node:path';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import { openObjectReader } from '../checkpoint/object-reader.ts';
import { encodeCommit } from '../checkpoint/objects.ts';
import { openPackWriter, type PackWriter } from '../checkpoint/pack.ts';
import { editTree } from '../checkpoint/tree-edit.ts';
import { openTrees, type Trees } from '../checkpoint/trees.ts';
import type { GitCall, HostGit } from '../host-git.ts';
import type { ChainRequest, ChainSide, ChainStep } from '../merging.ts';
import { readCommits } from '../native/commits.ts';
import { durable } from '../native/write-tree.ts';
import { mergeStep, type TouchedPaths, touchedBetween } from './chain-step.ts';
import { type ChangedEntries, changedEntries } from './changed-entries.ts';
import { meet } from './foresee/meetings.ts';
import { type Lineage, lineagesOf } from './lineage.ts';
import { type Quarantine, withQuarantine } from './quarantine.ts';

interface Ground {
  readonly git: HostGit;
  readonly scratch: string;
  readonly objectFormat: ObjectFormat;
}

export function mergeChain(
  { git, scratch, objectFormat }: Ground,
  start: Oid,
  sides: readonly ChainSide[],
  request: ChainRequest,
): Promise<readonly ChainStep[]> {
  return withQuarantine(git, scratch, async (quarantine) => {
    const inside = withEnvironment(git, quarantine.env);
    const reader = openObjectReader(inside);
    try {
      const trees = openTrees(inside, reader, objectFormat);
      const chain = await openChain({ git, inside, quarantine, trees, objectFormat, request }, start, sides);
      const steps: ChainStep[] = [];
      for (const [index, side] of sides.entries()) steps.push(await chain.add(side, index));
      await chain.publish();
      return steps;
    } finally {
      await reader.close();
    }
  });
}

interface Tools {
  readonly git: HostGit;
  /** The same, with the quarantine's objects. */
  readonly inside: HostGit;
  readonly quarantine: Quarantine;
  readonly trees: Trees;
  readonly objectFormat: ObjectFormat;
  readonly request: ChainRequest;
}

function withEnvironment(git: HostGit, env: Readonly<Record<string, string>>): HostGit {
  const extend = (call: GitCall = {}) => ({ ...call, env: { ...env, ...call.env } });
  return {
    ...git,
    run: (args, call) => git.run(args, extend(call)),
    text: (args, call) => git.text(args, extend(call)),
    start: (args, call) => git.start(args, { ...call, ...extend(call) }),
  };
}

async function openChain(tools: Tools, start: Oid, sides: readonly ChainSide[]) {
  const { git, quarantine, trees, objectFormat, request } = tools;
  const lineages = await lineagesOf(git, start, sides);
  const { ofSide, ofStart, treeOfStart } = await readChanges(git, start, lineages);
  const before = touched();
  const merged = new Set<Oid>();
  let at = { commit: start, tree: treeOfStart };
  let pack: PackWriter | undefined;
  let published = start;

  const writer = () => {
    pack ??= openPackWriter(join(quarantine.env.GIT_OBJECT_DIRECTORY ?? '', 'pack'), objectFormat);
    return pack;
  };
  /** Makes what was written visible to git. */
  const flush = async () => {
    const done = pack;
    pack = undefined;
    await done?.finish();
    await done?.release();
  };
  /** Brings what was made into the repository: one pack with what it lacks. */
  const publish = async (): Promise<Oid> => {
    await flush();
    if (at.commit === published) return at.commit;
    const input = [at.commit, `^${published}`, ...[...merged].map((oid) => `^${oid}`), ''].join('\n');
    const args = ['pack-objects', '--revs', '--stdout', '-q', '--window=0', '--delta-base-offset'];
    const { stdout } = await git.run(args, { input, env: quarantine.env });
    await git.run(['index-pack', '--stdin'], { input: stdout, config: durable });
    published = at.commit;
    return at.commit;
  };
  const isApart = (lineage: Lineage, changes: ChangedEntries | undefined): changes is ChangedEntries => {
    const ours = lineage.base === undefined ? undefined : ofStart.get(lineage.base);
    if (ours === undefined || changes === undefined || lineage.own.some((oid) => merged.has(oid))) return false;
    return !meet(changes, ours) && !meet(changes, before) && !sharesEmptied(changes, ours, before);
  };
  const taken = async (tree: Oid): Promise<Oid> => {
    before.take(await touchedBetween(trees, at.tree, tree));
    return tree;
  };
  const treeOf = async (side: ChainSide, index: number, lineage: Lineage): Promise<Oid | ChainStep> => {
    const changes = side.base === undefined ? ofSide[index] : undefined;
    if (isApart(lineage, changes)) {
      before.take({ ...changes, emptied: emptiedBy(changes) });
      return editTree(trees, writer(), at.tree, changes.edits);
    }
    await flush();
    const outcome = await mergeStep(tools, { at, side, folder: `step-${index}` });
    if (outcome.kind === 'impossible') return outcome;
    if (outcome.kind === 'clean') return taken(outcome.tree);
    const tree = await request.resolve?.({ index, conflicts: outcome.conflicts, publish });
    return tree === undefined ? outcome : taken(tree);
  };

  return {
    async add(side: ChainSide, index: number): Promise<ChainStep> {
      const lineage = lineages[index];
      if (lineage === undefined || lineage.own.length === 0 || merged.has(side.commit)) return { kind: 'contained' };
      const tree = await treeOf(side, index, lineage);
      if (typeof tree !== 'string') return tree;
      if (tree === at.tree) return { kind: 'contained' };
      const date = new Date();
      const { commit: parent } = at;
      const content = encodeCommit({
        tree,
        parent,
        ...(request.linear === true ? {} : { merged: side.commit }),
        identity: request.author,
        date,
        message: side.message,
      });
      at = { commit: await writer().add('commit', content), tree };
      for (const oid of lineage.own) merged.add(oid);
      return { kind: 'clean', ...at };
    },
    publish,
  };
}

/** What each side changed over its base, and what the branch changed over each of these bases. */
async function readChanges(git: HostGit, start: Oid, lineages: readonly Lineage[]) {
  const bases = [...new Set(lineages.flatMap(({ base }) => base ?? []))];
  const commits = [...new Set([start, ...bases, ...lineages.map(({ commit }) => commit)])];
  const treeOf = new Map((await readCommits(git, commits)).map(({ oid, tree }) => [oid, tree]));
  const pair = (before: Oid, after: Oid) => ({
    before: treeOf.get(before) ?? before,
    after: treeOf.get(after) ?? after,
  });
  const asked = [
    ...bases.map((base) => pair(base, start)),
    ...lineages.flatMap(({ base, commit }) => (base === undefined ? [] : [pair(base, commit)])),
  ];
  const answers = await changedEntries(git, asked);
  let next = bases.length;
  return {
    treeOfStart: treeOf.get(start) ?? start,
    ofStart: new Map(bases.map((base, index) => [base, answers[index]])),
    ofSide: lineages.map(({ base }) => {
      if (base === undefined) return undefined;
      next += 1;
      return answers[next - 1];
    }),
  };
}

/** What several changes touched together. */
function touched() {
  const all = {
    files: new Set<string>(),
    above: new Set<string>(),
    removed: new Set<string>(),
    emptied: new Set<string>(),
  };
  return {
    ...all,
    take(changes: TouchedPaths) {
      for (const kind of ['files', 'above', 'removed', 'emptied'] as const) {
        for (const each of changes[kind]) all[kind].add(each);
      }
    },
  };
}

function emptiedBy({ edits }: ChangedEntries): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [path, entry] of edits) {
    if (entry !== undefined) continue;
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      found.add(path.slice(0, slash));
    }
  }
  return found;
}

/** Together they may have removed a directory that none of them removed alone: git may hold it for renamed. */
function sharesEmptied(changes: ChangedEntries, ours: ChangedEntries, before: ReturnType<typeof touched>): boolean {
  const others = [...emptiedBy(ours), ...before.emptied];
  return others.some((directory) => changes.above.has(directory));
}
