/**
 * A watcher over chokidar, directories only: for a handful of directories, and for systems that the directory watcher
 * does not know. As it comes, chokidar watches every file, drops the last of several quick writes and misses modes,
 * dangling links and names ending in `~`; its `raw` events do not. It lists a directory before it watches it and goes
 * blind in one that was removed and made again, so each directory that appears is added anew and hinted once more.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { FSWatcher } from 'chokidar';
import { type BytePath, bytePathFromText } from '../domain/byte-path.ts';
import { codeOf } from './open-directory.ts';
import type { Watch, Watcher, WatchRequest } from './watch.ts';

/** How long a directory that appeared is left to settle before it is added anew, and again before it is hinted anew. */
const settling = 50;
/** Errors about one path that the next event or scan answers. */
const passing = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP']);

export function chokidarWatcher(): Watcher {
  return { watch };
}

async function watch(request: WatchRequest): Promise<Watch> {
  const { FSWatcher: Chokidar } = await import('chokidar');
  const timers = new Set<NodeJS.Timeout>();
  const appeared = new Set<string>();
  let over = false;

  const ignored = (path: string, stats?: Stats) => isIgnored(request, path) || stats?.isDirectory() === false;
  const watcher = new Chokidar({ ignoreInitial: true, followSymlinks: false, atomic: false, ignored });

  const later = (callback: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!over) callback();
    }, settling);
    timers.add(timer);
  };
  const hint = (path: string) => {
    if (!over) request.onHint(hintOf(request.root, path));
  };
  const degrade = (reason: string) => {
    if (over) return;
    over = true;
    request.onDegraded(reason);
  };
  const addAnew = (directories: readonly string[]) => {
    if (directories.length === 0) return;
    watcher.unwatch([...directories]);
    watcher.add([...directories]);
    later(() => directories.forEach(hint));
  };
  const onAppeared = (path: string) => {
    if (appeared.has(path) || lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return;
    appeared.add(path);
    later(() => {
      appeared.delete(path);
      addAnew(directoriesFrom(path, request));
    });
  };

  watcher.on('raw', (event, name, details) => {
    const path = join(watchedPathOf(details) ?? request.root, name ?? '');
    hint(path);
    if (event === 'rename' && !over) onAppeared(path);
  });
  watcher.on('all', (_event, path) => hint(path));
  watcher.on('error', (error) => {
    if (!passing.has(codeOf(error) ?? '')) degrade(error instanceof Error ? error.message : String(error));
  });
  if (lstatSync(request.root, { throwIfNoEntry: false })?.isDirectory() !== true) {
    degrade(`${request.root} is not a directory`);
  } else await start(watcher, request.root);
  if (over) await watcher.close();
  return {
    get size() {
      return over ? 0 : sizeOf(watcher, request.root);
    },
    close: async () => {
      over = true;
      for (const timer of timers) clearTimeout(timer);
      await watcher.close();
    },
  };
}

function start(watcher: FSWatcher, root: string): Promise<void> {
  return new Promise((resolve) => {
    watcher.once('ready', () => resolve());
    watcher.add(root);
  });
}

function isIgnored(request: WatchRequest, path: string): boolean {
  const inside = relative(request.root, path);
  return inside !== '' && !inside.startsWith('..') && request.ignored(bytePathOf(inside));
}

/** The directory and all below it that are not ignored. Links are not followed. */
function directoriesFrom(path: string, request: WatchRequest): readonly string[] {
  const found: string[] = [];
  const stack = [path];
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    if (isIgnored(request, directory)) continue;
    const here = directory;
    const children = subdirectories(here);
    if (children === undefined) continue;
    found.push(here);
    stack.push(...children.map((name) => join(here, name)));
  }
  return found;
}

function subdirectories(directory: string): readonly string[] | undefined {
  try {
    if (!lstatSync(directory).isDirectory()) return undefined;
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (passing.has(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** chokidar hands names over as UTF-8 text. Where that lost bytes, the directory above stands for the name. */
function hintOf(root: string, path: string): BytePath | '' {
  const inside = relative(root, path);
  if (inside.startsWith('..')) return '';
  const parts = inside.split(sep);
  const lossy = parts.findIndex((part) => part.includes('\ufffd'));
  return bytePathOf((lossy < 0 ? parts : parts.slice(0, lossy)).join(sep));
}

function bytePathOf(inside: string): BytePath {
  return bytePathFromText(sep === '/' ? inside : inside.replaceAll(sep, '/'));
}

function watchedPathOf(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null || !('watchedPath' in details)) return undefined;
  return typeof details.watchedPath === 'string' ? details.watchedPath : undefined;
}

function sizeOf(watcher: FSWatcher, root: string): number {
  return Object.keys(watcher.getWatched()).filter((path) => path === root || path.startsWith(root + sep)).length;
}
