/** Makes a comparison's edits the branch's new tip: trees, commit, one durable pack, then the branch by compare-and-swap. */
import type { Change } from '../../domain/change.ts';
import { checkpointMessage } from '../../domain/checkpoint.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { shortName } from '../../domain/ref-name.ts';
import type { CheckpointerRequest, CheckpointRequest } from '../checkpointer.ts';
import type { HostGit } from '../host-git.ts';
import { readLock } from './abandoned-lock.ts';
import type { BranchMover } from './branch.ts';
import { keepLeftBehind } from './left-behind.ts';
import { countLines, mostCompared } from './line-counts.ts';
import type { ObjectReader } from './object-reader.ts';
import { encodeCommit } from './objects.ts';
import type { PackWriter } from './pack.ts';
import { editTree } from './tree-edit.ts';
import type { Trees } from './trees.ts';
import type { Edit } from './worktree-state.ts';

export interface Tip {
  readonly commit: Oid;
  readonly tree: Oid;
}

export interface Publisher {
  /**
   * Throws `branch-missing` (kind `not-found`), and `tip-damaged` (kind `failed`) where the branch's commit cannot be read:
   * nothing may be built upon it.
   */
  readTip(): Promise<Tip>;
  /**
   * undefined: the branch is not at `tip` any more, and nothing has moved. Throws `ref-locked` (kind `unavailable`) when
   * somebody's lock file stays, `ref-not-moved` when git has another reason.
   */
  publish(request: PublishRequest): Promise<{ readonly tip: Tip; readonly changes: readonly Change[] } | undefined>;
}

export interface PublishRequest {
  readonly tip: Tip;
  readonly edits: readonly Edit[];
  readonly asked: CheckpointRequest;
  readonly pack: PackWriter;
  readonly date: Date;
}

export interface PublisherDependencies {
  readonly environment: CheckpointerRequest;
  readonly reader: ObjectReader;
  readonly trees: Trees;
  readonly mover: BranchMover;
  readonly git: HostGit;
}

/** Milliseconds for which somebody else may keep the branch locked. */
const lockPatience = 10_000;

export function openPublisher({ environment, reader, trees, mover, git }: PublisherDependencies): Publisher {
  /** Where the branch was when it was last looked at. */
  let last: Oid | undefined;

  const readTip = async (): Promise<Tip> => {
    const commit = await reader.read(environment.branch);
    if (last !== undefined && commit?.oid !== last) {
      await keepLeftBehind(git, environment.name, environment.branch, last);
    }
    last = commit?.oid ?? last;
    const tree = /^tree ([0-9a-f]+)\n/.exec(commit?.content.toString('latin1', 0, 80) ?? '')?.[1];
    if (commit?.kind !== 'commit' || tree === undefined) throw await noTip();
    return { commit: commit.oid, tree: tree as Oid };
  };

  const noTip = async (): Promise<CoppiceError> => {
    const args = ['rev-parse', '--verify', '--quiet', environment.branch];
    const { status, stdout } = await git.run(args, { allow: [0, 1, 128] });
    return status === 0 ? damaged(environment, stdout.toString('latin1').trim()) : branchMissing(environment);
  };

  const changeOf = async ({ path, before, after, content }: Edit, counted: boolean): Promise<Change> => {
    const kind = before === undefined ? 'added' : after === undefined ? 'deleted' : 'modified';
    if (!counted || (content === undefined && after !== undefined)) {
      return { path, kind, before, after, lines: undefined };
    }
    const old = before === undefined || before.mode === '160000' ? undefined : await reader.read(before.oid);
    return { path, kind, before, after, lines: countLines(old?.content, content) };
  };

  /** A lock that somebody holds for a moment is waited for, without making the commit again. */
  const move = async (before: Oid, after: Oid): Promise<boolean> => {
    const until = performance.now() + lockPatience;
    for (;;) {
      if (await mover.move(environment.branch, before, after)) {
        last = after;
        return true;
      }
      const { commit } = await readTip();
      if (commit === after) return true;
      if (commit !== before) return false;
      if (performance.now() > until) throw await notMoved();
      await new Promise((resolve) => setTimeout(resolve, 20 * (0.5 + Math.random())));
    }
  };

  const notMoved = async (): Promise<CoppiceError> =>
    (await readLock(git.commonDirectory, environment.branch)) === undefined
      ? refused(environment)
      : locked(environment);

  return {
    readTip,
    async publish({ tip, edits, asked, pack, date }) {
      const changes: Change[] = [];
      for (const edit of edits) changes.push(await changeOf(edit, edits.length <= mostCompared));
      const tree = await editTree(trees, pack, tip.tree, new Map(edits.map(({ path, after }) => [path, after])));
      const { cause, execs = [], operation } = asked;
      const message = checkpointMessage({ environment: environment.name, cause, changes, execs, operation });
      const content = encodeCommit({ tree, parent: tip.commit, identity: environment.author, date, message });
      const commit = await pack.add('commit', content);
      await pack.finish();
      return (await move(tip.commit, commit)) ? { tip: { commit, tree }, changes } : undefined;
    },
  };
}

function branchMissing({ branch, name }: CheckpointerRequest): CoppiceError {
  return new CoppiceError('not-found', 'branch-missing', `The branch ${shortName(branch)} of ${name} does not exist.`, {
    hint: `Run \`coppice doctor\`; \`coppice restore ${name}\` brings a removed environment back.`,
    data: { branch },
  });
}

function damaged({ branch, name }: CheckpointerRequest, oid: string): CoppiceError {
  const problem = `The commit ${oid} that ${shortName(branch)} is at is damaged or missing.`;
  return new CoppiceError('failed', 'tip-damaged', problem, {
    hint: `\`coppice doctor\` finds the newest intact commit of ${name}; its files are as they were.`,
    data: { branch, oid },
  });
}

function refused({ branch }: CheckpointerRequest): CoppiceError {
  return new CoppiceError('unavailable', 'ref-not-moved', `Git does not move the branch ${shortName(branch)}.`, {
    hint: `Look whether the disk is full or the git directory cannot be written; \`git update-ref\` says why.`,
    data: { branch },
  });
}

function locked({ branch }: CheckpointerRequest): CoppiceError {
  return new CoppiceError(
    'unavailable',
    'ref-locked',
    `The branch ${shortName(branch)} stays locked by somebody else.`,
    {
      hint: `If no git process is running, a crash left ${branch}.lock behind in the git directory: remove it.`,
      data: { branch },
    },
  );
}
