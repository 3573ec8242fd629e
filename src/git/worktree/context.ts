/** What every part of the worktree adapter needs to know of the repository. */
import type { ObjectFormat } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { LfsStore } from '../lfs/store.ts';

export interface WorktreeContext {
  /** Its common directory must be a real path. */
  readonly git: HostGit;
  readonly objectFormat: ObjectFormat;
  readonly repositoryId: string;
  /** `$XDG_DATA_HOME/coppice`. */
  readonly dataDirectory: string;
  /** The caller's own git directory, whose sparse patterns a new worktree inherits. */
  readonly gitDirectory: string;
  /** Content of Git LFS that this repository has. */
  readonly lfs: LfsStore;
}

/** Bytes of LFS content that a worktree gets at most: some repositories have more of it than a disk holds twice. */
export const mostLfsContent = 2 ** 30;

/** Checkouts and first packs of very large repositories may take this long (milliseconds). */
export const longTimeout = 30 * 60_000;
