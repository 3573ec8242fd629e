/** Where an environment's hints come from: the watches on its files and on the agent's git directory. */
import type { BytePath } from '../domain/byte-path.ts';
import type { Watchers } from '../watch/choose.ts';
import type { Watch, Watcher, WatchRequest } from '../watch/watch.ts';
import type { WatchMode } from './events.ts';
import { describeError } from './failures.ts';
import type { Watched } from './watched.ts';

export interface HintListener {
  onTree(path: BytePath | ''): void;
  /** The agent's HEAD or a branch may have moved. */
  onGit(): void;
  /** Watches are in place (or could not be): what happened before may have gone unnoticed. */
  onReady(): void;
  onMode(): void;
}

export interface HintSource {
  readonly mode: WatchMode;
  /** Why it polls. */
  readonly reason: string | null;
  readonly directories: number;
  /** Makes both watches anew. */
  rebuild(): Promise<void>;
  close(): Promise<void>;
}

/** An agent can make directories without end; what is beyond is found by looking at HEAD. */
const mostGitDirectories = 500;

/** Begins to watch at once. */
export function openHintSource(watched: Watched, watchers: Watchers, listener: HintListener): HintSource {
  const reasons = new Map<'tree' | 'git', string>();
  let watches: readonly Watch[] = [];
  let generation = 0;
  let turn: Promise<void> = Promise.resolve();

  async function open(): Promise<void> {
    const mine = ++generation;
    const current = () => mine === generation;
    await closeAll();
    reasons.clear();
    const begin = (which: 'tree' | 'git', watcher: Watcher, request: Omit<WatchRequest, 'onDegraded'>) => {
      const onDegraded = (reason: string) => {
        if (!current()) return;
        reasons.set(which, reason);
        listener.onMode();
      };
      return beginWatch(watcher, { ...request, onDegraded });
    };
    watches = await Promise.all([
      begin('tree', watchers.tree, {
        root: watched.tree,
        ignored: (directory) => isGitDirectory(directory) || watched.isIgnored(directory),
        onHint: (path) => current() && listener.onTree(path),
      }),
      begin('git', watchers.git, {
        root: watched.gitDirectory,
        ignored: onlyRefs(),
        onHint: (path) => current() && mayMoveHead(path) && listener.onGit(),
      }),
    ]);
    if (current()) listener.onReady();
    else await closeAll();
  }

  async function closeAll(): Promise<void> {
    const closing = watches;
    watches = [];
    // What cannot be closed is forgotten all the same.
    await Promise.allSettled(closing.map((watch) => watch.close()));
  }

  const next = (work: () => Promise<void>) => {
    turn = turn.then(work);
    return turn;
  };
  void next(open);
  return {
    get mode() {
      return reasons.size === 0 ? 'events' : 'polling';
    },
    get reason() {
      return reasons.get('tree') ?? reasons.get('git') ?? null;
    },
    get directories() {
      return watches.reduce((sum, watch) => sum + watch.size, 0);
    },
    rebuild: () => next(open),
    close: () => {
      generation++;
      return next(closeAll);
    },
  };
}

/** A watcher that throws has degraded: watching is never worth failing for. */
async function beginWatch(watcher: Watcher, request: WatchRequest): Promise<Watch> {
  try {
    return await watcher.watch(request);
  } catch (error) {
    request.onDegraded(describeError(error).message);
    return { size: 0, close: async () => undefined };
  }
}

/** Also those of repositories inside the tree. */
function isGitDirectory(directory: BytePath): boolean {
  return directory === '.git' || directory.endsWith('/.git');
}

function onlyRefs(): (directory: BytePath) => boolean {
  const seen = new Set<string>();
  return (directory) => {
    if (!/^(?:refs|reftable)(?:\/|$)/.test(directory)) return true;
    if (seen.size < mostGitDirectories) seen.add(directory);
    return !seen.has(directory);
  };
}

function mayMoveHead(path: BytePath | ''): boolean {
  if (path.endsWith('.lock')) return false;
  return path === '' || path === 'HEAD' || path === 'packed-refs' || /^(?:refs|reftable)(?:\/|$)/.test(path);
}
