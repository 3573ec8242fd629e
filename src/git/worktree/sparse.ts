/** Sparse checkout: its patterns live in one worktree's git directory, its switches in configuration. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifPresent } from '../../platform/errno.ts';
import { configText, type Setting } from './config-text.ts';
import type { LocalConfig } from './local-config.ts';

export interface Sparse {
  readonly patterns: Buffer;
  readonly settings: readonly Setting[];
}

/** Undefined for a full checkout. `config` is the one seen from `gitDirectory`. */
export async function readSparse(config: LocalConfig, gitDirectory: string): Promise<Sparse | undefined> {
  if (!config.isTrue('core.sparsecheckout')) return undefined;
  const patterns = await ifPresent(readFile(join(gitDirectory, 'info/sparse-checkout')));
  if (patterns === undefined) return undefined;
  const cone = config.isTrue('core.sparsecheckoutcone') ? 'true' : 'false';
  return {
    patterns,
    settings: [
      ['core.sparsecheckout', 'true'],
      ['core.sparsecheckoutcone', cone],
    ],
  };
}

export async function writePatterns(gitDirectory: string, sparse: Sparse): Promise<void> {
  await mkdir(join(gitDirectory, 'info'), { recursive: true });
  await writeFile(join(gitDirectory, 'info/sparse-checkout'), sparse.patterns);
}

/** As `git worktree add` does: only where the repository keeps configuration per worktree. The shared file is never written. */
export async function writeSparseForWorktree(config: LocalConfig, registration: string, sparse: Sparse): Promise<void> {
  await writePatterns(registration, sparse);
  if (config.isTrue('extensions.worktreeconfig')) {
    await writeFile(join(registration, 'config.worktree'), configText(sparse.settings));
  }
}
