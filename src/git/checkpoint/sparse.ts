/** Paths that a sparse checkout leaves out: the skip-worktree entries of the registration's index. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BytePath } from '../../domain/byte-path.ts';
import type { HostGit } from '../host-git.ts';

export interface SparsePaths {
  /** Read again when the index has changed; no file of the worktree is looked at. */
  has(path: BytePath): Promise<boolean>;
}

export function openSparsePaths(git: HostGit, registration: string): SparsePaths {
  let stamp = '';
  let paths: ReadonlySet<string> = new Set();
  let checkedAt = 0;
  const refresh = async () => {
    const index = await stat(join(registration, 'index')).catch(() => undefined);
    const now = index === undefined ? 'none' : `${index.ino} ${index.size} ${index.mtimeMs} ${index.ctimeMs}`;
    if (now === stamp) return;
    paths = index === undefined ? new Set() : await skipped(git, registration);
    stamp = now;
  };
  return {
    async has(path) {
      // Deletions come in bulk: one look at the index serves all of them.
      if (performance.now() - checkedAt > 100) {
        await refresh();
        checkedAt = performance.now();
      }
      return paths.has(path);
    },
  };
}

async function skipped(git: HostGit, registration: string): Promise<ReadonlySet<string>> {
  const { stdout } = await git.run(['ls-files', '-t', '-z'], { gitDirectory: registration });
  const items = stdout.toString('latin1').split('\0');
  return new Set(items.filter((item) => item.startsWith('S ')).map((item) => item.slice(2)));
}
