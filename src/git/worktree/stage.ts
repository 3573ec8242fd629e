/**
 * Checks files out beside an environment's tree, where nobody else can write: what git would put there, with the line
 * endings that the commit's attributes ask for, no filter, and the content of LFS that is here. From there they are moved in.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BytePath, bytesOf } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import { bringContent } from '../lfs/content.ts';
import type { StagedFiles } from '../worktree.ts';
import { longTimeout, mostLfsContent, type WorktreeContext } from './context.ts';

export async function withStaged<Result>(
  { git, lfs }: WorktreeContext,
  root: string,
  commit: Oid,
  paths: readonly BytePath[],
  body: (staged: StagedFiles) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(root, 'staged-'));
  try {
    const files = join(directory, 'files');
    await mkdir(files);
    const env = { GIT_INDEX_FILE: join(directory, 'index') };
    const config = ['core.splitIndex=false', 'index.sparse=false', 'core.sparseCheckout=false'];
    // The whole tree, because its attribute files decide about line endings.
    await git.run(['read-tree', '--no-recurse-submodules', commit], { env, config, timeout: longTimeout });
    const input = Buffer.concat(paths.flatMap((path) => [bytesOf(path), Buffer.from([0])]));
    const call = { workTree: files, env, config, input, timeout: longTimeout };
    await git.run(['checkout-index', '-q', '-z', '--stdin'], call);
    await bringContent({ git, store: lfs, call: { env }, files, paths, most: mostLfsContent });
    return await body({ sourceOf: (path) => Buffer.concat([Buffer.from(`${files}/`), bytesOf(path)]) });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
