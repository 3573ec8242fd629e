/** The merge itself: `git merge-tree --write-tree`, which needs no checkout and no index. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { MergeOutcome } from '../merging.ts';
import { mergeBase } from '../native/commits.ts';
import { anyOf, layOutAttributes, readAttributes } from './attributes.ts';
import { conflictsOf, isConflict } from './conflicts.ts';
import { type MergeReport, parseMergeReport } from './merge-report.ts';
import type { Quarantine } from './quarantine.ts';

/** Of two commits over their merge base. New objects stay in the quarantine unless promoted; `folder` there is this merge's own. */
export async function mergeCommits(
  git: HostGit,
  quarantine: Quarantine,
  ours: Oid,
  theirs: Oid,
  folder = 'tree',
  config: readonly string[] = [],
): Promise<MergeOutcome> {
  const tree = join(quarantine.directory, folder);
  await mkdir(tree, { recursive: true });
  const first = await mergeTree(git, quarantine, ours, theirs, { tree, config });
  const merged = first.messages.flatMap(({ paths }) => paths);
  const [attributes] = await readAttributes(git, quarantine.env, [{ tree: ours, paths: merged }]);
  if (attributes === undefined || !anyOf(attributes)) return outcomeOf(first);
  await layOutAttributes(attributes, tree);
  return outcomeOf(await mergeTree(git, quarantine, ours, theirs, { tree, config }));
}

/** Three trees: git before 2.40 takes only commits, so they are dressed as such, in the quarantine. */
export async function mergeTrees(
  git: HostGit,
  quarantine: Quarantine,
  base: Oid,
  ours: Oid,
  theirs: Oid,
  config: readonly string[] = [],
): Promise<{ readonly outcome: MergeOutcome; readonly dressed: readonly Oid[] }> {
  const dress = async (treeish: Oid, parents: readonly Oid[]) => {
    const args = ['commit-tree', `${treeish}^{tree}`, ...parents.flatMap((oid) => ['-p', oid])];
    return parseOid(await git.text(args, { env: { ...nobody, ...quarantine.env } }));
  };
  const root = await dress(base, []);
  const [left, right] = await Promise.all([dress(ours, [root]), dress(theirs, [root])]);
  // Equal trees make equal commits, and a commit merged with itself needs no base.
  const outcome = await mergeCommits(git, quarantine, left, right, 'tree', config);
  return { outcome, dressed: [root, left, right] };
}

export const nobody = {
  GIT_AUTHOR_NAME: 'coppice',
  GIT_AUTHOR_EMAIL: 'coppice@localhost',
  GIT_AUTHOR_DATE: '@0 +0000',
  GIT_COMMITTER_NAME: 'coppice',
  GIT_COMMITTER_EMAIL: 'coppice@localhost',
  GIT_COMMITTER_DATE: '@0 +0000',
};

export interface Answer extends MergeReport {
  readonly clean: boolean;
}

/** Attributes are found in `tree`, and no index is read for more of them. */
export function mergeCall(quarantine: Quarantine, tree: string) {
  return { cwd: tree, workTree: tree, env: { ...quarantine.env, GIT_INDEX_FILE: join(tree, '.no-index') } };
}

/** `tree` is the only “work tree” in reach: it holds attribute files and what merging leaves lying about. */
async function mergeTree(
  git: HostGit,
  quarantine: Quarantine,
  ours: Oid,
  theirs: Oid,
  { tree, config }: { readonly tree: string; readonly config: readonly string[] },
): Promise<Answer> {
  const args = ['merge-tree', '--write-tree', '-z', '--messages', ours, theirs];
  try {
    const { stdout, status } = await git.run(args, { ...mergeCall(quarantine, tree), config, allow: [0, 1] });
    return { ...parseMergeReport(stdout), clean: status === 0 };
  } catch (error) {
    if ((await mergeBase(git, ours, theirs, quarantine.env)) !== undefined) throw error;
    throw new CoppiceError('refused', 'unrelated-histories', 'The two histories share no commit.', {
      hint: 'Name another branch, or merge with git merge --allow-unrelated-histories yourself.',
      data: { ours, theirs },
      cause: error,
    });
  }
}

export function outcomeOf(report: Answer): MergeOutcome {
  const { tree } = report;
  if (report.clean) return { kind: 'clean', tree };
  const messages = report.messages.filter(isConflict).map(({ text }) => text);
  return { kind: 'conflict', tree, conflicts: conflictsOf(report), messages };
}
