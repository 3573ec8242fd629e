/** The daemon process: exactly one for each user's runtime directory. It makes things sooner, never different. */
import { repositoryIdOf } from '../domain/directories.ts';
import type { Surroundings } from '../platform/surroundings.ts';
import { chooseWatchers, type Watchers } from '../watch/choose.ts';
import { becomeTheOne } from './become-the-one.ts';
import { systemClock } from './clock.ts';
import { type Ending, whenToEnd } from './ending.ts';
import type { DaemonEvent } from './events.ts';
import { describeError } from './failures.ts';
import { type Log, logPathOf, makeLog } from './log.ts';
import type { RepositoryTarget } from './protocol.ts';
import { type DaemonServer, serve } from './server.ts';
import { makeSocketDirectory, socketPathOf } from './socket.ts';
import type { Build } from './status.ts';
import { supervise } from './supervisor.ts';
import type { Listed } from './watched.ts';

/** Where environments may be. Grows with each `watch` request; begins with the daemon's own data directory. */
export interface Places {
  readonly dataDirectories: readonly string[];
  /** Common git directories that were named in requests since the daemon started. */
  readonly commonDirectories: readonly string[];
}

/** Lists what is to be watched; asked at start, every 10 s and upon `watch`. `emit`: for what concerns several of them. */
export type LoadWatched = (places: Places, emit: (event: DaemonEvent) => void) => Promise<readonly Listed[]>;

export interface DaemonOptions {
  readonly build: Build;
  /** Default: what suits the system. */
  readonly watchers?: Watchers;
  /** Milliseconds without any environment or subscriber after which it ends. Default: 10 minutes. */
  readonly idleExit?: number;
  /** Milliseconds between two looks at the list. Default: 10 s. */
  readonly reload?: number;
  /** Ends it, as SIGTERM and SIGINT do. */
  readonly signal?: AbortSignal;
}

/** Milliseconds that saving what has been hinted may hold up the end. */
const lastWords = 5_000;

/**
 * Resolves when the daemon has ended; at once, to `already-running`, when another answers. Work that hangs is not waited
 * for: the caller exits the process then.
 */
export async function runDaemon(
  surroundings: Surroundings,
  load: LoadWatched,
  options: DaemonOptions,
): Promise<'ended' | 'already-running'> {
  makeSocketDirectory(surroundings);
  const path = socketPathOf(surroundings);
  const lock = await becomeTheOne(surroundings, path);
  if (lock === undefined) return 'already-running';
  const log = makeLog(logPathOf(surroundings));
  const ending = whenToEnd(options.signal);
  try {
    log.write(`started, pid ${process.pid}, version ${options.build.version}`);
    await live({ surroundings, load, options, path, log, ending });
    log.write('ended');
  } finally {
    ending.dispose();
    log.close();
    await lock.release();
  }
  return 'ended';
}

interface Life {
  readonly surroundings: Surroundings;
  readonly load: LoadWatched;
  readonly options: DaemonOptions;
  readonly path: string;
  readonly log: Log;
  readonly ending: Ending;
}

async function live({ surroundings, load, options, path, log, ending }: Life): Promise<void> {
  const { build, idleExit = 600_000, reload = 10_000 } = options;
  const clock = systemClock;
  const startedAt = clock.date().toISOString();
  const dataDirectories = new Set([surroundings.dataDirectory]);
  const commonDirectories = new Set<string>();
  let server: DaemonServer | undefined;
  let lastError: string | null = null;
  let busyAt = clock.now();
  let loading: Promise<void> = Promise.resolve();

  const emit = (event: DaemonEvent) => {
    server?.broadcast(event);
    if (event.type === 'error') log.write(`${event.repository}/${event.name}: ${event.code}: ${event.message}`);
  };
  const watchers = options.watchers ?? chooseWatchers(process.platform);
  const supervisor = supervise({ clock, watchers, emit });

  async function loadNow(): Promise<void> {
    try {
      const places = { dataDirectories: [...dataDirectories], commonDirectories: [...commonDirectories] };
      await supervisor.update(await load(places, emit));
      lastError = null;
    } catch (error) {
      const { code, message } = describeError(error);
      if (lastError !== message) log.write(`the list of environments: ${code}: ${message}`);
      lastError = message;
    }
    if (supervisor.size > 0 || (server?.subscribers ?? 0) > 0) busyAt = clock.now();
    if (clock.now() - busyAt >= idleExit) ending.end('nothing to watch');
  }
  const reloadList = () => {
    loading = loading.then(loadNow);
    return loading;
  };
  const isWatched = (id: string, name: string | undefined) =>
    supervisor.status().some((each) => each.repository === id && (name === undefined || each.name === name));
  const learn = ({ dataDirectory, commonDirectory }: RepositoryTarget) => {
    dataDirectories.add(dataDirectory);
    commonDirectories.add(commonDirectory);
    return repositoryIdOf(commonDirectory);
  };

  server = await serve(path, {
    ping: () => ({ pid: process.pid, build }),
    status: () => ({ pid: process.pid, build, startedAt, environments: [...supervisor.status()], lastError }),
    watch: async ({ params }) => {
      const id = learn(params);
      if (params.name !== undefined) supervisor.resume(id, params.name);
      await reloadList();
      return { watching: isWatched(id, params.name) };
    },
    unwatch: async ({ params }) => {
      await supervisor.suspend(learn(params), params.name);
      return {};
    },
    checkpoint: async ({ params }) => {
      const { checkpoint, held, submodules = [], unsettled } = await supervisor.checkpoint(params.key, params);
      return { checkpoint: checkpoint ?? null, held: [...held], submodules: [...submodules], unsettled };
    },
    stop: () => {
      ending.end('asked to');
      return {};
    },
    subscribe: () => ({}),
  });
  void reloadList();
  let cancel: () => void = () => undefined;
  const again = () => {
    cancel = clock.after(reload, () => void reloadList().then(again));
  };
  again();
  log.write(`ending: ${await ending.promise}`);
  cancel();
  await supervisor.close(lastWords);
  await server.close();
}
