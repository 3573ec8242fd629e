/** The user's checkout as a tree, without changing anything in it. */
import { join } from 'node:path';
import { bytesOf } from '../../domain/byte-path.ts';
import type { Held } from '../../domain/change.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { GitCall, HostGit } from '../host-git.ts';
import { sizesOf } from '../leaks/blobs.ts';
import { type Quarantine, withQuarantine } from '../merge/quarantine.ts';
import { treeChanges } from '../merge/tree-changes.ts';
import type { Sieve, Snapshot, TreeChange } from '../repository.ts';
import { readObjects } from './cat-file.ts';
import { type CheckoutPlace, ownCheckout } from './own-checkout.ts';
import { withPrivateIndex } from './private-index.ts';
import { splitNul } from './split-nul.ts';
import { durable, emptyTree } from './write-tree.ts';

/** Throws `no-checkout` (kind `usage`), `inside-environment` (kind `refused`). */
export async function snapshotWorktree(git: HostGit, place: CheckoutPlace, sieve: Sieve): Promise<Snapshot> {
  const worktree = ownCheckout(place);
  return withPrivateIndex(git.commonDirectory, place.gitDirectory, (index) =>
    withQuarantine(git, join(git.commonDirectory, 'coppice', 'tmp'), async (quarantine) => {
      const env = { ...quarantine.env, GIT_INDEX_FILE: index };
      const call: GitCall = { env, config: [...durable, 'advice.addEmbeddedRepo=false'] };
      const whole = await treeOf(git, worktree, call);
      const before = await headTree(git, worktree);
      const changes = await treeChanges(git, quarantine.env, before, whole);
      const held = await sieve(changes, {
        sizesOf: (oids) => sizesOf(git, oids, quarantine.env),
        read: async (oid) => (await readObjects(git, [oid], quarantine.env))[0]?.content,
      });
      if (held.length === 0) {
        await quarantine.promote();
        return { tree: whole, held };
      }
      const tree = await withoutHeld(git, worktree, call, changes, held);
      await promoteOnly(git, quarantine, tree, before);
      return { tree, held };
    }),
  );
}

async function treeOf(git: HostGit, worktree: string, call: GitCall): Promise<Oid> {
  const before = await submodules(git, worktree, call);
  await git.runAsUser(worktree, ['add', '--all', '--', ':/'], call);
  const nested = (await submodules(git, worktree, call)).filter((path) => !before.includes(path));
  // A repository that merely lies there is no submodule: nobody could clone what it would name.
  if (nested.length > 0) {
    const input = Buffer.from(nested.map((path) => `${path}\0`).join(''), 'latin1');
    await git.runAsUser(worktree, ['update-index', '-z', '--force-remove', '--stdin'], { ...call, input });
  }
  return writeIndex(git, worktree, call);
}

async function headTree(git: HostGit, worktree: string): Promise<Oid> {
  const { stdout } = await git.runAsUser(worktree, ['rev-parse', '--verify', '--quiet', 'HEAD^{tree}'], {
    allow: [0, 1],
  });
  const text = stdout.toString('latin1').trim();
  return text === '' ? emptyTree(git) : parseOid(text);
}

async function withoutHeld(
  git: HostGit,
  worktree: string,
  call: GitCall,
  changes: readonly TreeChange[],
  held: readonly Held[],
): Promise<Oid> {
  const paths = new Set(held.map(({ path }) => path));
  const lines = changes
    .filter(({ path }) => paths.has(path))
    .map(({ path, before, after }) => {
      const entry = before ?? { mode: '0', oid: '0'.repeat(after?.oid.length ?? 40) };
      return Buffer.concat([Buffer.from(`${entry.mode} ${entry.oid}\t`), bytesOf(path), Buffer.from([0])]);
    });
  const input = Buffer.concat(lines);
  await git.runAsUser(worktree, ['update-index', '-z', '--index-info'], { ...call, input });
  return writeIndex(git, worktree, call);
}

/** What was left out goes with the quarantine, and so do the trees that named it. */
async function promoteOnly(git: HostGit, quarantine: Quarantine, tree: Oid, before: Oid): Promise<void> {
  const args = ['rev-list', '--objects', '--no-object-names', tree, '--not', before];
  const { stdout } = await git.run(args, { env: quarantine.env });
  await quarantine.promoteOnly(new Set(stdout.toString('latin1').split('\n')));
}

async function writeIndex(git: HostGit, worktree: string, call: GitCall): Promise<Oid> {
  const { stdout } = await git.runAsUser(worktree, ['write-tree'], call);
  return parseOid(stdout.toString('latin1').trim());
}

async function submodules(git: HostGit, worktree: string, call: GitCall): Promise<readonly string[]> {
  const { stdout } = await git.runAsUser(worktree, ['ls-files', '-z', '--stage', '--full-name', ':/'], call);
  return splitNul(stdout)
    .map((record) => record.toString('latin1'))
    .filter((record) => record.startsWith('160000 '))
    .map((record) => record.slice(record.indexOf('\t') + 1));
}
