/** Writes the files of a merge result aside, with the user's filters, on the file system they will be moved to. */
import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { TreeChange } from '../repository.ts';
import type { Checkout } from './checked-out.ts';
import type { Quarantine } from './quarantine.ts';

export interface Staging {
  /** The new files, each at its own path. */
  readonly files: string;
  /** Empty; for what they replace. */
  readonly replaced: string;
}

export async function withStaging<Result>(
  git: HostGit,
  { worktree, gitDirectory }: Checkout,
  quarantine: Quarantine,
  { tree, changes }: { readonly tree: Oid; readonly changes: readonly TreeChange[] },
  body: (staging: Staging) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(await besides(worktree, git.commonDirectory));
  try {
    const staging = { files: join(directory, 'files'), replaced: join(directory, 'replaced') };
    await Promise.all([mkdir(staging.files), mkdir(staging.replaced)]);
    const env = { ...quarantine.env, GIT_INDEX_FILE: join(quarantine.directory, 'staging-index') };
    // The whole tree, because its attribute files decide which filters apply.
    await git.run(['read-tree', tree], { env });
    const present = changes.filter(({ after }) => after !== undefined);
    const input = Buffer.from(present.map(({ path }) => `${path}\0`).join(''), 'latin1');
    const call = { gitDirectory, workTree: staging.files, env, input, timeout: 30 * 60_000 };
    await git.runAsUser(staging.files, ['checkout-index', '-q', '-z', '--stdin'], call);
    return await body(staging);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** In the git directory if that can be renamed from; else in the checkout itself. */
async function besides(worktree: string, commonDirectory: string): Promise<string> {
  const folder = join(commonDirectory, 'coppice', 'tmp');
  await mkdir(folder, { recursive: true });
  const [here, there] = await Promise.all([lstat(worktree), lstat(folder)]);
  return here.dev === there.dev ? join(folder, 'apply-') : join(worktree, '.coppice-apply-');
}
