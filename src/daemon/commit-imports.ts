/** Brings the agent's own commits over when its HEAD may have moved. */
import { type Clock, within } from './clock.ts';
import type { Happening } from './events.ts';
import { countFailures } from './failures.ts';
import { pace } from './pace.ts';
import type { ErrorStatus } from './status.ts';
import type { Watched } from './watched.ts';

export interface CommitImports {
  readonly dueAt: number;
  readonly lastError: ErrorStatus | null;
  want(at: number): void;
  /** Looks whether HEAD moved; if so an import is due. False when nothing runs inside. */
  look(): Promise<boolean>;
  /** Never rejects. Resolves when the import ended or takes too long to wait for. */
  run(): Promise<void>;
}

export interface ImportTools {
  readonly clock: Clock;
  readonly emit: (happening: Happening) => void;
  /** Commits came over: the branch is another. */
  readonly onImported: () => void;
  /** `dueAt` may have changed. */
  readonly onDue: () => void;
}

export function makeCommitImports(watched: Watched, tools: ImportTools): CommitImports {
  const { clock, emit } = tools;
  const failures = countFailures(clock);
  let wantedAt = Number.POSITIVE_INFINITY;
  let underWay = false;
  let head: string | undefined;

  const want = (at: number) => {
    wantedAt = Math.min(wantedAt, at);
    tools.onDue();
  };
  const fail = (error: unknown) => {
    const { code, message } = failures.failed(error);
    emit({ type: 'error', code, message });
  };

  async function bring(): Promise<void> {
    const before = await watched.headHint();
    const commits = await watched.importCommits();
    head = before;
    failures.succeeded();
    for (const { oid, subject } of commits) emit({ type: 'commit', oid, subject });
    if (commits.length > 0) tools.onImported();
  }

  /** The promise settles after `pace.importing` at the latest; what goes on beyond that blocks further imports only. */
  async function bringInTime(): Promise<void> {
    underWay = true;
    const settled = bring()
      .catch((error: unknown) => {
        fail(error);
        want(clock.now());
      })
      .finally(() => {
        underWay = false;
        tools.onDue();
      });
    await within(clock, pace.importing, settled);
  }

  async function isActive(): Promise<boolean> {
    try {
      return await watched.isActive();
    } catch (error) {
      fail(error);
      return true;
    }
  }

  return {
    get dueAt() {
      return underWay ? Number.POSITIVE_INFINITY : Math.max(wantedAt, failures.notBefore);
    },
    get lastError() {
      return failures.last;
    },
    want,
    look: async () => {
      if (failures.notBefore > clock.now()) return true;
      if (!(await isActive())) return false;
      try {
        if ((await watched.headHint()) !== head) want(clock.now());
      } catch (error) {
        fail(error);
      }
      return true;
    },
    run: async () => {
      wantedAt = Number.POSITIVE_INFINITY;
      if (await isActive()) await bringInTime();
      else want(clock.now() + pace.stopped);
    },
  };
}
