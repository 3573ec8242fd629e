/** The user's checkout as a tree, without changing anything in it. */
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { GitCall, HostGit } from '../host-git.ts';
import { type CheckoutPlace, ownCheckout } from './own-checkout.ts';
import { withPrivateIndex } from './private-index.ts';
import { splitNul } from './split-nul.ts';
import { durable } from './write-tree.ts';

/** Throws `no-checkout` (kind `usage`), `inside-environment` (kind `refused`). */
export async function snapshotWorktree(git: HostGit, place: CheckoutPlace): Promise<Oid> {
  const worktree = ownCheckout(place);
  return withPrivateIndex(git.commonDirectory, place.gitDirectory, async (index) => {
    const call: GitCall = { env: { GIT_INDEX_FILE: index }, config: [...durable, 'advice.addEmbeddedRepo=false'] };
    const before = await submodules(git, worktree, call);
    await git.runAsUser(worktree, ['add', '--all', '--', ':/'], call);
    const nested = (await submodules(git, worktree, call)).filter((path) => !before.includes(path));
    // A repository that merely lies there is no submodule: nobody could clone what it would name.
    if (nested.length > 0) {
      const input = Buffer.from(nested.map((path) => `${path}\0`).join(''), 'latin1');
      await git.runAsUser(worktree, ['update-index', '-z', '--force-remove', '--stdin'], { ...call, input });
    }
    const { stdout } = await git.runAsUser(worktree, ['write-tree'], call);
    return parseOid(stdout.toString('latin1').trim());
  });
}

async function submodules(git: HostGit, worktree: string, call: GitCall): Promise<readonly string[]> {
  const { stdout } = await git.runAsUser(worktree, ['ls-files', '-z', '--stage', '--full-name', ':/'], call);
  return splitNul(stdout)
    .map((record) => record.toString('latin1'))
    .filter((record) => record.startsWith('160000 '))
    .map((record) => record.slice(record.indexOf('\t') + 1));
}
