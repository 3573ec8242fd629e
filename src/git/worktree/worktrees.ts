/** Worktrees made by hand around native git: see each step's own file. */
import { readdir, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EnvironmentName, isEnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import { bringContent } from '../lfs/content.ts';
import { offerContent } from '../lfs/offer.ts';
import type { CheckedOut, WorktreeRequest, Worktrees } from '../worktree.ts';
import { addBase, explainMissing } from './base-store.ts';
import { mostLfsContent, type WorktreeContext } from './context.ts';
import { checkOut } from './index-file.ts';
import { abandonedRegistrations, listLeftovers, removeLeftover } from './leftovers.ts';
import { readLocalConfig } from './local-config.ts';
import { writeOwnGit } from './own-git.ts';
import { refreshIndex } from './refresh-index.ts';
import { register, registrationDirectory } from './registration.ts';
import { claimTree, removeWorktree, undoCreation } from './remove.ts';
import { readSparse } from './sparse.ts';
import { withStaged } from './stage.ts';
import { fillSubmodules } from './submodules.ts';

export function createWorktrees(context: WorktreeContext): Worktrees {
  const { git } = context;
  const common = git.commonDirectory;
  const basesUnderWay = new Map<Oid, Promise<void>>();
  return {
    create: (request) => createWorktree(context, request),
    shareBase: (commit) => {
      const started = basesUnderWay.get(commit) ?? addBase(context, commit);
      basesUnderWay.set(commit, started);
      return started.finally(() => basesUnderWay.delete(commit));
    },
    ensureRegistered: (request) => ensureRegistered(context, request),
    createOwnGit: (request) => writeOwnGit(context, request),
    refreshIndex: (name, tip) => refreshIndex(git, registrationDirectory(common, name), tip),
    withStaged: (directories, commit, paths, body) => withStaged(context, directories.root, commit, paths, body),
    offerContent: ({ root, git: gitDirectory }, blobs) =>
      offerContent({ git, store: context.lfs, root, gitDirectory, blobs, most: mostLfsContent }),
    remove: (name, directories) => removeWorktree(common, name, directories),
    leftovers: () => listLeftovers(context),
    removeLeftover: async (path) => void (await removeLeftover(context, path)),
    abandoned: () => abandonedRegistrations(context),
    registered: () => registeredNames(common),
  };
}

async function createWorktree(context: WorktreeContext, request: WorktreeRequest): Promise<CheckedOut> {
  const { git, gitDirectory } = context;
  const { name, branch, directories, tip } = request;
  await claimTree(directories);
  let registration: string | undefined;
  try {
    const config = await readLocalConfig(git, gitDirectory);
    const sparse = await readSparse(config, gitDirectory);
    const tree = await realpath(directories.tree);
    registration = await register(git.commonDirectory, { name, branch, tree, config, sparse });
    await writeFile(join(tree, '.git'), `gitdir: ${registration}\n`);
    await checkOut(git, registration, tree, tip);
    const call = { gitDirectory: registration };
    const lfs = await bringContent({ git, store: context.lfs, call, files: tree, most: mostLfsContent });
    return { ...lfs, submodules: await fillSubmodules(git, tree, tip) };
  } catch (error) {
    await undoCreation(registration, directories);
    throw await explainMissing(context, error);
  }
}

async function ensureRegistered(context: WorktreeContext, request: WorktreeRequest): Promise<void> {
  const { git, gitDirectory } = context;
  const { name, branch, directories, tip } = request;
  if ((await ifPresent(stat(registrationDirectory(git.commonDirectory, name)))) !== undefined) return;
  const config = await readLocalConfig(git, gitDirectory);
  // Without the index nobody can tell a file that was never checked out from one that the agent deleted.
  if ((await readSparse(config, gitDirectory)) !== undefined) throw registrationLost(name);
  const tree = await realpath(directories.tree);
  const registration = await register(git.commonDirectory, { name, branch, tree, config, sparse: undefined });
  await refreshIndex(git, registration, tip);
}

function registrationLost(name: EnvironmentName): CoppiceError {
  const sentence = `Git's registration of the worktree of ${name} is gone, and with it what is sparse there.`;
  return new CoppiceError('failed', 'registration-lost', sentence, {
    hint: `\`coppice remove --force ${name}\` and \`coppice restore ${name}\` make it anew.`,
    data: { name },
  });
}

async function registeredNames(commonDirectory: string): Promise<readonly EnvironmentName[]> {
  const entries = (await ifPresent(readdir(join(commonDirectory, 'worktrees')))) ?? [];
  return entries.flatMap((entry) => {
    const name = /^coppice-(.*)$/.exec(entry)?.[1] ?? '';
    return isEnvironmentName(name) ? [name] : [];
  });
}
