/** When the next full scan of an environment is due. */
import type { Clock } from './clock.ts';
import { hintedScanPause, pace, scanPause } from './pace.ts';

export interface ScanSchedule {
  readonly next: number;
  /** The next scan is to happen even if the environment is stopped. */
  readonly forced: boolean;
  /** Earliest time for a scan that hints ask for. */
  readonly hintedNotBefore: number;
  /** How long the last scan took. */
  readonly took: number | null;
  /** Something happened: scans come closer together again. */
  active(): void;
  force(): void;
  /** Within `milliseconds`, unless scans would become too dear. */
  soon(milliseconds: number): void;
  done(took: number, where: { readonly polling: boolean; readonly busy: boolean }): void;
  /** Nothing runs inside: ask again later. */
  stopped(): void;
}

export function makeScanSchedule(clock: Clock): ScanSchedule {
  let next = Number.POSITIVE_INFINITY;
  let forced = false;
  let lastActivity = clock.now();
  let hintedNotBefore = 0;
  let earliest = 0;
  let took: number | null = null;
  return {
    get next() {
      return next;
    },
    get forced() {
      return forced;
    },
    get hintedNotBefore() {
      return hintedNotBefore;
    },
    get took() {
      return took;
    },
    active: () => {
      lastActivity = clock.now();
      if (next < Number.POSITIVE_INFINITY) next = Math.min(next, Math.max(lastActivity + pace.scan, earliest));
    },
    force: () => {
      forced = true;
      next = clock.now();
    },
    soon: (milliseconds) => {
      next = Math.min(next, Math.max(clock.now() + milliseconds, earliest));
    },
    done: (duration, { polling, busy }) => {
      const now = clock.now();
      took = duration;
      forced = false;
      earliest = now + scanPause({ took, idleFor: 0, polling: true, busy });
      next = now + scanPause({ took, idleFor: now - lastActivity, polling, busy });
      hintedNotBefore = now + hintedScanPause(took);
    },
    stopped: () => {
      forced = false;
      next = clock.now() + pace.stopped;
    },
  };
}
