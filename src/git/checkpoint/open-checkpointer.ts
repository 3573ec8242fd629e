/**
 * The checkpointer of one environment: looks at what may have changed, writes it, and looks again when somebody else
 * moved the branch meanwhile. Calls are queued.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BytePath, joinPath } from '../../domain/byte-path.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import { shortName } from '../../domain/ref-name.ts';
import type { Checkpointer, CheckpointerRequest, CheckpointRequest, CheckpointResult } from '../checkpointer.ts';
import type { HostGit } from '../host-git.ts';
import type { LfsStore } from '../lfs/store.ts';
import { openBranchMover } from './branch.ts';
import { type ObjectReader, openObjectReader } from './object-reader.ts';
import { openPackWriter, type PackWriter } from './pack.ts';
import { openPublisher, type Tip } from './publish.ts';
import { openRuleFiles } from './rule-files.ts';
import { everything, type Scope, scopeOf } from './scope.ts';
import { openSecretScanner } from './secrets/scanner.ts';
import { readSettings } from './settings.ts';
import { openSparsePaths } from './sparse.ts';
import { readStatCache, writeStatCache } from './stat-cache.ts';
import { differingPaths } from './tree-edit.ts';
import { openTrees, trackedEntry } from './trees.ts';
import { openWorktreeState } from './worktree-state.ts';

export interface CheckpointerDependencies {
  readonly git: HostGit;
  readonly objectFormat: ObjectFormat;
  /** Shared by the environments of a repository, so that many of them need one process. It stays open. */
  readonly reader?: ObjectReader;
  /** Content of the user's own excludes file (core.excludesFile), one character per byte. */
  readonly userExcludes?: string;
  /** Where content of Git LFS goes, where git-lfs is there to push it; else it is held. */
  readonly lfs?: LfsStore;
  readonly now?: () => Date;
}

/** Somebody else was quicker: the paths to look at again, on top of what the other one changed. */
interface Again {
  readonly again: readonly (BytePath | '')[];
  readonly unsettled: boolean;
}

type Paths = readonly (BytePath | '')[] | undefined;

/** Milliseconds for which others may keep moving the branch. */
const patience = 60_000;
/** Milliseconds between two writes of the stat cache while the checkpointer is open. */
const saveEvery = 30_000;
/** Checkpoints after which trees that nobody needs any more are let go. */
const tidyEvery = 64;

export async function openCheckpointer(
  request: CheckpointerRequest,
  dependencies: CheckpointerDependencies,
): Promise<Checkpointer> {
  const { git, objectFormat: format } = dependencies;
  const now = dependencies.now ?? (() => new Date());
  const configFile = join(git.commonDirectory, 'config');
  const packDirectory = join(git.commonDirectory, 'objects/pack');
  const reader = dependencies.reader ?? openObjectReader(git);
  const mover = openBranchMover(git, request.author);
  const trees = openTrees(git, reader, format);
  const publisher = openPublisher({ environment: request, reader, trees, mover, git });
  let configStamp = await stampOf(configFile);
  let settings = await readSettings(git);
  const rules = openRuleFiles({
    commonDirectory: git.commonDirectory,
    userExcludes: dependencies.userExcludes ?? '',
    ignoreCase: () => settings.ignoreCase,
  });
  const secrets = await openSecretScanner(request.secrets);
  const state = openWorktreeState({
    root: request.tree,
    limits: request.limits,
    format,
    trees,
    rules,
    sparse: openSparsePaths(git, request.registration),
    cache: await readStatCache(request.cache, format),
    secrets,
    lfs: dependencies.lfs,
    readBlob: async (oid) => (await reader.read(oid))?.content,
  });
  /** The tree that everything on disk has been compared with; undefined: look at everything next time. */
  let compared: Oid | undefined;
  /** The tip's tree as last known, for questions that cannot wait. */
  let root: Oid | undefined;
  let made = 0;
  let savedAt = performance.now();
  let queue: Promise<unknown> = Promise.resolve();

  const inTurn = <Result>(body: () => Promise<Result>): Promise<Result> => {
    const result = queue.then(body);
    queue = result.catch(() => undefined);
    return result;
  };

  /** Configuration or rules of the repository that changed may make any file differ. */
  const refreshSurroundings = async (): Promise<void> => {
    const stamp = await stampOf(configFile);
    const configured = stamp !== configStamp;
    configStamp = stamp;
    if (configured) settings = await readSettings(git);
    // A file that is on the branch stays there; what is held may be held for a reason that is gone.
    if (await secrets.refresh()) state.forgetVerdicts();
    if ((await rules.refresh()) || configured) {
      compared = undefined;
      state.forgetVerdicts();
    }
  };

  const scopeFor = async (paths: Paths, tip: Tip): Promise<Scope> => {
    if (paths !== undefined && compared !== undefined) {
      return scopeOf([...paths, ...(await differingPaths(trees, compared, tip.tree))]);
    }
    await trees.prefetch(tip.tree);
    return everything;
  };

  const compare = async (scope: Scope, tip: Tip, rehash: boolean, pack: PackWriter) => {
    const about = { root: tip.tree, rehash, settings, pack };
    const first = await state.compare({ ...about, scope });
    if (!rules.takeChanged() || scope.whole) return first;
    state.forgetVerdicts();
    await trees.prefetch(tip.tree);
    return state.compare({ ...about, scope: everything });
  };

  const attempt = async (asked: CheckpointRequest, paths: Paths): Promise<CheckpointResult | Again> => {
    const tip = await publisher.readTip();
    const scope = await scopeFor(paths, tip);
    const pack = openPackWriter(packDirectory, format);
    compared = undefined;
    try {
      const { edits, unsettled, looked } = await compare(scope, tip, asked.rehash ?? false, pack);
      const held = state.held();
      const submodules = state.submodules();
      const published =
        edits.length === 0 ? undefined : await publisher.publish({ tip, edits, asked, pack, date: now() });
      root = published?.tip.tree ?? tip.tree;
      compared = root;
      if (edits.length === 0)
        return { tip: tip.commit, checkpoint: undefined, changes: [], held, submodules, unsettled, looked };
      if (published === undefined) return { again: [...(paths ?? []), ...edits.map(({ path }) => path)], unsettled };
      made += 1;
      if (made % tidyEvery === 0) trees.keepOnly(root);
      const { tip: after, changes } = published;
      return { tip: after.commit, checkpoint: after.commit, changes, held, submodules, unsettled, looked };
    } finally {
      await pack.release();
    }
  };

  const checkpoint = async (asked: CheckpointRequest): Promise<CheckpointResult> => {
    await refreshSurroundings();
    const fresh = state.takeFresh();
    let paths: Paths = asked.paths === undefined ? undefined : [...asked.paths, ...fresh];
    let unsettled = false;
    const until = performance.now() + patience;
    for (let pause = 1; ; pause = Math.min(pause * 2, 100)) {
      const result = await attempt(asked, paths);
      if (!('again' in result)) {
        // Another process must hold what this one holds, or it lets the next few thousand through.
        if (state.overflowChanged() || performance.now() - savedAt > saveEvery) await save();
        return { ...result, unsettled: unsettled || result.unsettled };
      }
      unsettled ||= result.unsettled;
      // The scan that found them was complete; from here on only they and what the other one changed can differ.
      paths = result.again;
      if (performance.now() > until) throw contended(request);
      await new Promise((resolve) => setTimeout(resolve, pause * Math.random()));
    }
  };

  const save = async () => {
    savedAt = performance.now();
    const learned = state.takeLearned();
    // Only a cache: a disk that is full must not fail a checkpoint that has been made.
    if (learned !== undefined) await writeStatCache(request.cache, format, learned).catch(() => undefined);
  };

  const isIgnored = (path: BytePath, directory: boolean): boolean => {
    const names = path.split('/');
    if (names.includes('.git')) return true;
    const tracked = trackedEntry(trees, root, names);
    if (tracked !== undefined) return tracked.mode === '160000';
    return rulesIgnore(names, directory);
  };

  const rulesIgnore = (names: readonly string[], directory: boolean): boolean => {
    let parent: BytePath | '' = '';
    for (const [index, name] of names.entries()) {
      const here = joinPath(parent, name);
      const isDirectory = directory || index < names.length - 1;
      if (rules.ignores(rules.recall(parent), here, name, isDirectory)) return true;
      parent = here;
    }
    return false;
  };

  return {
    checkpoint: (asked) => inTurn(() => checkpoint(asked)),
    directories: () =>
      inTurn(async () => {
        await refreshSurroundings();
        if (compared !== undefined) return state.directories();
        const { tree } = await publisher.readTip();
        await trees.prefetch(tree);
        await state.survey(tree);
        root = tree;
        return state.directories();
      }),
    isIgnored,
    isInSubmodule: (path) => trackedEntry(trees, root, path.split('/'))?.mode === '160000',
    ignores: (path) => rulesIgnore(path.split('/'), false),
    close: () =>
      inTurn(async () => {
        await save();
        await Promise.all([dependencies.reader === undefined ? reader.close() : undefined, mover.close()]);
      }),
  };
}

async function stampOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
}

function contended({ branch }: CheckpointerRequest): CoppiceError {
  return new CoppiceError('unavailable', 'branch-contended', `Others keep moving the branch ${shortName(branch)}.`, {
    hint: 'Look for a process that keeps committing to it, and try again.',
    data: { branch },
  });
}
