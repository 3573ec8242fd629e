/**
 * Hints that something changed. A hint may be missing, late, doubled or wrong: the scan is the truth. Correctness
 * never depends on this interface; only how soon a checkpoint is made does.
 */
import type { BytePath } from '../domain/byte-path.ts';

export interface WatchRequest {
  /** The directory whose changes are wanted. Links in it are never followed. */
  readonly root: string;
  /** Directories to leave alone, with all below them. Asked for every directory; cheap. */
  readonly ignored: (directory: BytePath) => boolean;
  /** A path that may have changed: a file, or a directory whose whole content may have. '' is the root. */
  readonly onHint: (path: BytePath | '') => void;
  /** Watching became incomplete (limits, errors): poll instead. Called once with the reason. */
  readonly onDegraded: (reason: string) => void;
}

export interface Watch {
  /** Directories watched now. */
  readonly size: number;
  close(): Promise<void>;
}

export interface Watcher {
  /** Resolves when every directory there is now is watched (or onDegraded was called). */
  watch(request: WatchRequest): Promise<Watch>;
}
