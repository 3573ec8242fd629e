/** Opens the repository a directory belongs to: each method is a file beside this one. */
import { repositoryIdOf } from '../../domain/directories.ts';
import { parseOid } from '../../domain/oid.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import { openObjectReader } from '../checkpoint/object-reader.ts';
import { hostGit } from '../host-git.ts';
import { treeChanges } from '../merge/tree-changes.ts';
import type { Repository } from '../repository.ts';
import { blame } from './blame.ts';
import { readObjects } from './cat-file.ts';
import { isAncestor, log, mergeBase, readCommit, readCommits } from './commits.ts';
import { diff, diffStat } from './diff.ts';
import { discover, requireGit } from './discover.ts';
import { danglingCommits, formerTips, isIntact } from './intact.ts';
import { listTree } from './list-tree.ts';
import { listWorktrees } from './list-worktrees.ts';
import { listRefs, readHead, readRef, readRefs, resolveCommit } from './references.ts';
import { snapshotWorktree } from './snapshot-worktree.ts';
import { updateReferences } from './update-references.ts';
import { config, identity } from './user.ts';
import { writeCommit } from './write-commit.ts';
import { durable, emptyTree, textEdits, writeTree } from './write-tree.ts';

/**
 * Throws `not-a-repository` or `no-such-directory` (kind `not-found`), `dubious-ownership` (kind `refused`), `git-too-old`
 * (kind `unavailable`).
 */
export async function openRepository(surroundings: Surroundings, directory: string): Promise<Repository> {
  const place = await discover(surroundings, directory);
  const { commonDirectory, gitDirectory, worktree, objectFormat } = place;
  const git = hostGit(commonDirectory, surroundings);
  const reader = openObjectReader(git);
  const user = { directory: commonDirectory, gitDirectory };
  const readBlobsAt: Repository['readBlobsAt'] = async (wanted) => {
    const objects = await readObjects(
      git,
      wanted.map(({ treeish, path }) => `${treeish}:${path}`),
    );
    return objects.map((object) => (object?.type === 'blob' ? object.content : undefined));
  };
  return {
    requireGit: () => requireGit(surroundings),
    commonDirectory,
    id: repositoryIdOf(commonDirectory),
    objectFormat,
    gitDirectory,
    worktree,
    head: () => readHead(git, gitDirectory),
    resolveCommit: (revision) => resolveCommit(git, gitDirectory, revision),
    readRef: (name) => readRef(git, name),
    readRefs: (names) => readRefs(reader, names),
    listRefs: (...prefixes) => listRefs(git, prefixes),
    updateRefs: (updates, reason) => updateReferences(git, objectFormat, updates, reason),
    readCommit: (oid) => readCommit(git, oid),
    readCommits: (oids) => readCommits(git, oids),
    log: (range) => log(git, range),
    readBlobAt: async (treeish, path) => (await readBlobsAt([{ treeish, path }]))[0],
    readBlobsAt,
    readBlobs: async (oids) =>
      (await readObjects(git, oids)).map((object) => (object?.type === 'blob' ? object.content : undefined)),
    listTree: (treeish, options) => listTree(git, treeish, options),
    isAncestor: (ancestor, descendant) => isAncestor(git, ancestor, descendant),
    mergeBase: (left, right) => mergeBase(git, left, right),
    isIntact: (commit, known) => isIntact(git, commit, known),
    danglingCommits: () => danglingCommits(git),
    formerTips: (branch) => formerTips(git, branch),
    writeBlob: async (content) =>
      parseOid(await git.text(['hash-object', '-w', '--stdin'], { input: content, config: durable })),
    writeTree: (start, edits) => writeTree(git, objectFormat, start, textEdits(edits)),
    editTree: (start, edits) => writeTree(git, objectFormat, start, edits),
    writeCommit: (commit) => writeCommit(git, user, commit),
    snapshotWorktree: (sieve = async () => []) => snapshotWorktree(git, place, sieve),
    emptyTree: () => emptyTree(git),
    diff: (request) => diff(git, request),
    diffStat: (before, after) => diffStat(git, before, after),
    treeChanges: (before, after) => treeChanges(git, {}, before, after),
    blame: (request) => blame(git, request),
    identity: () => identity(git, user),
    config: (key) => config(git, user, key),
    worktrees: () => listWorktrees(git),
    // Every other process here ends with its answer.
    close: () => reader.close(),
  };
}
