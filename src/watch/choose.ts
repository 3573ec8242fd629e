/** Which watcher serves what on this system. */
import { chokidarWatcher } from './chokidar.ts';
import { directoryWatcher } from './directories.ts';
import type { Watcher } from './watch.ts';

export interface Watchers {
  /** For the files of an environment: any number of directories. */
  readonly tree: Watcher;
  /** For the agent's own git directory: a few. */
  readonly git: Watcher;
}

export function chooseWatchers(platform: NodeJS.Platform): Watchers {
  const git = chokidarWatcher();
  return { git, tree: platform === 'linux' ? directoryWatcher() : git };
}
