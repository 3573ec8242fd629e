/** A clock that a test moves, watchers that hint when told to, and an environment that remembers what was asked of it. */

import type { Clock } from '../../src/daemon/clock.ts';
import type { Checkpointed, ImportedCommit, Listed, Watched } from '../../src/daemon/watched.ts';
import { type BytePath, bytePathFromText } from '../../src/domain/byte-path.ts';
import type { Change } from '../../src/domain/change.ts';
import { type Oid, parseOid } from '../../src/domain/oid.ts';
import type { Watchers } from '../../src/watch/choose.ts';
import type { Watch, WatchRequest } from '../../src/watch/watch.ts';

export interface FakeClock extends Clock {
  /** Fires every timer on the way, each at its time, and lets what follows happen. */
  advance(milliseconds: number): Promise<void>;
}

export function fakeClock(): FakeClock {
  let now = 1_000;
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  return {
    now: () => now,
    date: () => new Date(now),
    after: (milliseconds, callback) => {
      const timer = { at: now + Math.max(0, milliseconds), callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: async (milliseconds) => {
      const end = now + milliseconds;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((left, right) => left.at - right.at);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.callback();
        await settle();
      }
      now = Math.max(now, end);
    },
  };
}

/** Everything that can happen without time passing has happened. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export interface FakeWatchers extends Watchers {
  /** Requests for the files of environments, newest last. */
  readonly trees: WatchRequest[];
  readonly gits: WatchRequest[];
  readonly open: Set<WatchRequest>;
}

export function fakeWatchers(): FakeWatchers {
  const open = new Set<WatchRequest>();
  const keep = (requests: WatchRequest[]) => ({
    watch: async (request: WatchRequest): Promise<Watch> => {
      requests.push(request);
      open.add(request);
      return { size: 1, close: async () => void open.delete(request) };
    },
  });
  const trees: WatchRequest[] = [];
  const gits: WatchRequest[] = [];
  return { tree: keep(trees), git: keep(gits), trees, gits, open };
}

export interface FakeEnvironment extends Watched, Listed {
  /** What was asked for: `all reconcile`, `a b edit`. */
  readonly asked: string[];
  /** What the next checkpoints find; they find nothing when it is empty. */
  readonly finds: Partial<Checkpointed>[];
  /** Called for each checkpoint, after it is noted. */
  during: () => Promise<void> | void;
  active: boolean;
  head: string;
  readonly commits: ImportedCommit[];
  imports: number;
  importing: () => Promise<void> | void;
  closed: boolean;
}

let made = 0;

export function fakeEnvironment(name: string): FakeEnvironment {
  const environment: FakeEnvironment = {
    key: `repo/${name}/${++made}`,
    repositoryId: 'repo',
    name,
    tree: `/trees/${name}`,
    gitDirectory: `/gits/${name}`,
    asked: [],
    finds: [],
    during: () => undefined,
    active: true,
    head: 'first',
    commits: [],
    imports: 0,
    importing: () => undefined,
    closed: false,
    open: async () => environment,
    isIgnored: (directory) => directory === 'node_modules',
    checkpoint: async ({ paths, cause }) => {
      environment.asked.push(`${paths === undefined ? 'all' : [...paths].sort().join(' ')} ${cause}`);
      await environment.during();
      return {
        checkpoint: undefined,
        tip: oid('a'),
        held: [],
        unsettled: false,
        changes: [],
        ...environment.finds.shift(),
      };
    },
    headHint: async () => environment.head,
    importCommits: async () => {
      environment.imports++;
      await environment.importing();
      return environment.commits.splice(0);
    },
    isActive: () => environment.active,
    close: async () => {
      environment.closed = true;
    },
  };
  return environment;
}

export function oid(digit: string): Oid {
  return parseOid(digit.repeat(40));
}

export function path(text: string): BytePath {
  return bytePathFromText(text);
}

export function modified(text: string): Change {
  return { path: path(text), kind: 'modified', before: undefined, after: undefined, lines: undefined };
}
