/**
 * Watches one environment: hints lead to a checkpoint of what was hinted, scans find what was not, and moves of the
 * agent's HEAD bring its commits over. One thing at a time; whatever comes meanwhile is done next. Nothing thrown by
 * the environment ends the watching: it is shown, and tried again later and later.
 */
import type { BytePath } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Watchers } from '../watch/choose.ts';
import { makeAnnouncer } from './announce.ts';
import type { Clock } from './clock.ts';
import { makeCommitImports } from './commit-imports.ts';
import type { Happening } from './events.ts';
import { countFailures } from './failures.ts';
import { openHintSource } from './hint-source.ts';
import { makeHints } from './hints.ts';
import { pace, unsettledPause, whenHinted } from './pace.ts';
import { makeScanSchedule } from './schedule.ts';
import type { Slots } from './slots.ts';
import type { EnvironmentStatus } from './status.ts';
import { watchHealth } from './watch-health.ts';
import type { AskedCheckpoint, Checkpointed, Saved, Watched } from './watched.ts';

export interface EnvironmentTools {
  readonly clock: Clock;
  readonly watchers: Watchers;
  /** Shared by all environments: full scans are heavy. */
  readonly slots: Slots;
  readonly emit: (happening: Happening) => void;
}

export interface EnvironmentWatch {
  status(): EnvironmentStatus;
  /** Checkpoints now, as soon as what is under way is done. Rejects with what kept it from that. */
  checkpoint(request: AskedCheckpoint): Promise<Saved>;
  /** Checkpoints now what has been hinted. Never rejects. */
  flush(): Promise<void>;
  /** Resolves once nothing of it runs any more. */
  close(): Promise<void>;
}

const never = Number.POSITIVE_INFINITY;

export function watchEnvironment(watched: Watched, tools: EnvironmentTools): EnvironmentWatch {
  const { clock, emit } = tools;
  const saving = countFailures(clock);
  const scans = makeScanSchedule(clock);
  const health = watchHealth(clock);
  const announcer = makeAnnouncer(clock, emit);
  let hints = makeHints();
  let hinted = { first: never, last: never };
  let unsettled = { times: 0, notBefore: 0 };
  /** The branch was moved by an import: the next scan may find changes without anything having been missed. */
  let branchMoved = false;
  let told = '';
  let ready = false;
  let running: Promise<void> | undefined;
  let timer: { readonly at: number; readonly cancel: () => void } | undefined;
  let closed = false;

  const imports = makeCommitImports(watched, {
    clock,
    emit,
    onDue: arm,
    onImported: () => {
      branchMoved = true;
      scans.soon(pace.quiet);
    },
  });
  const source = openHintSource(watched, tools.watchers, {
    onTree: (path) => {
      health.hinted(path);
      scans.active();
      addHint(path);
    },
    onGit: () => {
      scans.active();
      imports.want(clock.now() + pace.quiet);
    },
    onReady: () => {
      ready = true;
      tellState();
      scans.force();
      imports.want(clock.now());
    },
    onMode: () => {
      if (ready) tellState();
      health.wantRebuild(pace.watchAgain);
      scans.soon(pace.scan);
      arm();
    },
  });

  function tellState(): void {
    const { mode, reason } = source;
    if (told !== `${mode} ${reason}`) emit({ type: 'state', state: 'watched', watch: mode, reason });
    told = `${mode} ${reason}`;
  }

  function addHint(path: BytePath | ''): void {
    const now = clock.now();
    hinted = { first: Math.min(hinted.first, now), last: now };
    hints.add(path);
    arm();
  }

  function hintsDueAt(): number {
    if (hints.empty) return never;
    const heavy = hints.everything ? scans.hintedNotBefore : 0;
    return Math.max(whenHinted(hinted.first, hinted.last), heavy, unsettled.notBefore, saving.notBefore);
  }

  const scanDueAt = () => Math.max(scans.next, saving.notBefore);
  const dueAt = () => Math.min(hintsDueAt(), scanDueAt(), imports.dueAt, health.dueAt);

  /** Hints come by the thousand: a timer that is early enough is left alone and looks again when it fires. */
  function arm(): void {
    if (closed || !ready || running !== undefined) return;
    const at = dueAt();
    if (at === never || (timer !== undefined && timer.at <= at)) return;
    timer?.cancel();
    timer = { at, cancel: clock.after(Math.max(0, at - clock.now()), fire) };
  }

  function fire(): void {
    timer = undefined;
    if (!closed && running === undefined && dueAt() <= clock.now()) void begin(run);
    else arm();
  }

  function begin(work: () => Promise<void>): Promise<void> {
    const begun = work()
      .catch(fail)
      .finally(() => {
        running = undefined;
        arm();
      });
    running = begun;
    return begun;
  }

  async function run(): Promise<void> {
    const now = clock.now();
    // Not waited for: a large tree takes seconds, and checkpoints go on.
    if (health.dueAt <= now && health.isRebuildDue()) void source.rebuild();
    const scan = scanDueAt() <= now && (await scanIsWorthIt());
    // Before commits that hold the same changes come: so they are told as what they are, and nothing is looked at twice.
    if (!scan && hintsDueAt() <= clock.now()) await save(false);
    if (!closed && imports.dueAt <= clock.now()) await imports.run();
    if (!closed && (scan || hintsDueAt() <= clock.now())) await save(scan);
  }

  /** Stopped environments are not scanned, except when watching begins. */
  async function scanIsWorthIt(): Promise<boolean> {
    if (scans.forced || (await imports.look())) return true;
    scans.stopped();
    return false;
  }

  async function save(scan: boolean, asked?: AskedCheckpoint): Promise<Checkpointed> {
    const taken = hints;
    const whole = scan || taken.everything;
    const cause = asked?.cause ?? (taken.empty ? 'reconcile' : 'edit');
    const about = asked === undefined ? { cause } : { cause, execs: asked.execs };
    hints = makeHints();
    hinted = { first: never, last: never };
    try {
      const result = await (whole ? scanAll(about, asked) : watched.checkpoint({ ...about, paths: taken.paths() }));
      saving.succeeded();
      const paths = result.changes.map(({ path }) => path);
      if (scan && source.mode === 'events' && !branchMoved) health.found(paths, [taken, hints]);
      if (whole) branchMoved = false;
      settle(result, taken.paths(), whole);
      announcer.announce(result, cause);
      // What is watched depends on what is ignored.
      if (paths.some((path) => path.split('/').at(-1) === '.gitignore')) health.wantRebuild(pace.ignoreRules);
      return result;
    } catch (error) {
      giveBack(taken.everything ? [''] : taken.paths());
      throw error;
    }
  }

  function scanAll(about: Parameters<Watched['checkpoint']>[0], asked?: AskedCheckpoint): Promise<Checkpointed> {
    const scan = async () => {
      const started = clock.now();
      const result = await watched.checkpoint(about);
      if (result.changes.length > 0) scans.active();
      // Reading what has changed is no reason to look less often: it will not have changed again.
      const busy = result.cause !== undefined && result.cause !== about.cause;
      scans.done(result.looked ?? clock.now() - started, { polling: source.mode === 'polling', busy });
      return result;
    };
    // Somebody who waits does not stand in line.
    return asked === undefined ? tools.slots.use(scan) : scan();
  }

  async function saveAsked(asked: AskedCheckpoint): Promise<Saved> {
    const eventsSuffice = asked.announcedOnly && source.mode === 'events' && scans.took !== null;
    if (!eventsSuffice) return save(true, asked);
    await announcementsRead();
    return hints.empty ? { checkpoint: undefined, held: [], unsettled: false } : save(false, asked);
  }

  /** What was still being written is looked at again, less and less eagerly. */
  function settle(result: Checkpointed, paths: readonly BytePath[], whole: boolean): void {
    const times = result.unsettled ? unsettled.times + 1 : 0;
    const pause = unsettledPause(times);
    unsettled = { times, notBefore: clock.now() + pause };
    if (result.unsettled && whole) scans.soon(pause);
    else if (result.unsettled) giveBack(paths);
  }

  function giveBack(paths: readonly (BytePath | '')[]): void {
    for (const path of paths) addHint(path);
  }

  function fail(error: unknown): void {
    const { code, message } = saving.failed(error);
    emit({ type: 'error', code, message });
  }

  return {
    status: () => ({
      repository: watched.repositoryId,
      name: watched.name,
      state: (saving.last ?? imports.lastError) !== null ? 'failing' : ready ? 'watching' : 'starting',
      watch: source.mode,
      reason: source.reason,
      directories: source.directories,
      lastCheckpoint: announcer.lastCheckpoint,
      scanMilliseconds: scans.took,
      held: announcer.held,
      missed: health.missed,
      rebuilds: health.rebuilds,
      lastError: saving.last ?? imports.lastError,
    }),
    checkpoint: async (asked) => {
      while (running !== undefined) await running;
      if (closed || !ready) throw letGo(watched);
      return new Promise((resolve, reject) => {
        void begin(async () => {
          try {
            resolve(await saveAsked(asked));
          } catch (error) {
            reject(error);
            throw error;
          }
        });
      });
    },
    flush: async () => {
      while (running !== undefined) await running;
      if (!closed && !hints.empty) await begin(async () => void (await save(false)));
    },
    close: async () => {
      closed = true;
      timer?.cancel();
      await source.close();
      while (running !== undefined) await running;
      await watched.close();
    },
  };
}

/** One turn of the event loop reads all events that the kernel has by now; a second one hands them on. */
async function announcementsRead(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function letGo({ name }: Watched): CoppiceError {
  return new CoppiceError('unavailable', 'not-watched', `The daemon does not watch ${name} just now.`);
}
