/** Watches many environments of many repositories. What one of them throws never reaches another. */
import { CoppiceError } from '../domain/error.ts';
import type { Watchers } from '../watch/choose.ts';
import { type Clock, within } from './clock.ts';
import { type EnvironmentWatch, watchEnvironment } from './environment-watch.ts';
import type { DaemonEvent, Happening } from './events.ts';
import { countFailures, describeError, type Failures } from './failures.ts';
import { makeSlots } from './slots.ts';
import type { EnvironmentStatus } from './status.ts';
import type { AskedCheckpoint, Listed, Saved, WatchedName } from './watched.ts';

export interface SupervisorTools {
  readonly clock: Clock;
  readonly watchers: Watchers;
  readonly emit: (event: DaemonEvent) => void;
}

export interface Supervisor {
  /** Environments watched, or to be watched as soon as they can be opened. */
  readonly size: number;
  /** Begins to watch what is new in the list and lets go of what is no longer in it. */
  update(listed: readonly Listed[]): Promise<void>;
  /** Saves what is in an environment now. Throws `not-watched` (kind `unavailable`), or what kept it from being saved. */
  checkpoint(key: string, request: AskedCheckpoint): Promise<Saved>;
  /** Lets go of an environment and leaves it alone until `resume`, or until it is gone from the list; five minutes at most. */
  suspend(repositoryId: string, name: string): Promise<void>;
  resume(repositoryId: string, name: string): void;
  status(): readonly EnvironmentStatus[];
  /** Saves what has been hinted and lets go of everything, waiting no longer than that many milliseconds. */
  close(milliseconds: number): Promise<void>;
}

/** An environment is either watched, or could not be opened and is tried again. */
interface Entry {
  readonly listed: Listed;
  readonly failures: Failures;
  opening: boolean;
  watch: EnvironmentWatch | undefined;
}

interface Suspension {
  readonly until: number;
  /** Of the environment that was let go of: one made later under its name is another. */
  readonly key: string | undefined;
}

/** Whoever suspended an environment may have died. */
const longestSuspension = 300_000;
/** Milliseconds for one environment to be opened or let go of, before others are no longer kept waiting. */
const patience = 10_000;
/** Opening and scanning at once: more gains nothing on few cores. */
const atOnce = 3;

export function supervise(tools: SupervisorTools): Supervisor {
  const { clock } = tools;
  const entries = new Map<string, Entry>();
  const suspended = new Map<string, Suspension>();
  const scanning = makeSlots(atOnce, clock);
  const opening = makeSlots(atOnce, clock);
  let turn: Promise<void> = Promise.resolve();
  let closed = false;

  const next = (work: () => Promise<void>) => {
    turn = turn.then(work);
    return turn;
  };
  const emitter = (about: WatchedName) => (happening: Happening) => {
    const { repositoryId: repository, name } = about;
    tools.emit({ ...happening, repository, name, at: clock.date().toISOString() });
  };

  async function update(listed: readonly Listed[]): Promise<void> {
    for (const [id, { until }] of suspended) {
      if (until <= clock.now() || !listed.some((each) => idOf(each) === id && isSuspended(each))) suspended.delete(id);
    }
    const wanted = new Map(listed.filter((each) => !isSuspended(each)).map((each) => [each.key, each]));
    const gone = [...entries.values()].filter((entry) => !wanted.has(entry.listed.key));
    await Promise.all(gone.map(letGo));
    for (const each of wanted.values()) {
      if (!entries.has(each.key)) {
        entries.set(each.key, { listed: each, failures: countFailures(clock), opening: false, watch: undefined });
      }
    }
    const toOpen = [...entries.values()].filter(isToBeOpened);
    await within(clock, patience, Promise.all(toOpen.map((entry) => opening.use(() => open(entry)))));
  }

  function isSuspended(listed: Listed): boolean {
    const suspension = suspended.get(idOf(listed));
    return suspension !== undefined && (suspension.key === undefined || suspension.key === listed.key);
  }

  function isToBeOpened({ watch, opening, failures }: Entry): boolean {
    return watch === undefined && !opening && failures.notBefore <= clock.now();
  }

  async function open(entry: Entry): Promise<void> {
    const emit = emitter(entry.listed);
    entry.opening = true;
    try {
      const watched = await entry.listed.open();
      // It took so long that it is not wanted any more.
      if (closed || entries.get(entry.listed.key) !== entry) return await watched.close();
      entry.watch = watchEnvironment(watched, { clock, watchers: tools.watchers, slots: scanning, emit });
      entry.failures.succeeded();
    } catch (error) {
      const { code, message } = entry.failures.failed(error);
      emit({ type: 'error', code, message });
    } finally {
      entry.opening = false;
    }
  }

  async function letGo(entry: Entry): Promise<void> {
    entries.delete(entry.listed.key);
    const emit = emitter(entry.listed);
    try {
      if (entry.watch !== undefined) await within(clock, patience, entry.watch.close());
    } catch (error) {
      emit({ type: 'error', ...describeError(error) });
    }
    emit({ type: 'state', state: 'unwatched', watch: 'events', reason: null });
  }

  async function closeAll(): Promise<void> {
    const all = [...entries.values()];
    await Promise.all(all.map((entry) => entry.watch?.flush()));
    await Promise.all(all.map(letGo));
  }

  return {
    get size() {
      return entries.size;
    },
    update: async (listed) => {
      if (!closed) await next(() => update(listed));
    },
    checkpoint: async (key, request) => {
      const watch = entries.get(key)?.watch;
      if (watch === undefined) {
        throw new CoppiceError('unavailable', 'not-watched', 'The daemon does not watch this environment.');
      }
      return watch.checkpoint(request);
    },
    suspend: (repositoryId, name) => {
      const id = idOf({ repositoryId, name });
      return next(async () => {
        const those = [...entries.values()].filter((entry) => idOf(entry.listed) === id);
        suspended.set(id, { until: clock.now() + longestSuspension, key: those[0]?.listed.key });
        await Promise.all(those.map(letGo));
      });
    },
    resume: (repositoryId, name) => void suspended.delete(idOf({ repositoryId, name })),
    status: () => [...entries.values()].map((entry) => entry.watch?.status() ?? unopened(entry)),
    close: async (milliseconds) => {
      closed = true;
      await within(clock, milliseconds, next(closeAll));
    },
  };
}

function idOf({ repositoryId, name }: Pick<WatchedName, 'repositoryId' | 'name'>): string {
  return `${repositoryId}/${name}`;
}

function unopened({ listed, failures }: Entry): EnvironmentStatus {
  return {
    repository: listed.repositoryId,
    name: listed.name,
    state: failures.last === null ? 'starting' : 'failing',
    watch: 'polling',
    reason: 'it could not be opened yet',
    directories: 0,
    lastCheckpoint: null,
    scanMilliseconds: null,
    held: 0,
    missed: 0,
    rebuilds: 0,
    lastError: failures.last,
  };
}
