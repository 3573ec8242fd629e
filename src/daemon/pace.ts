/** When things are done: how long to wait after hints, between scans, after failures. Pure. */

/** Milliseconds. */
export const pace = {
  /** After the last hint. */
  quiet: 150,
  /** After the first hint, however many follow. */
  longest: 1_000,
  /** Between scans while something happens; and always, where there are no events. */
  scan: 3_000,
  /** Between scans of an environment in which nothing happens. */
  idleScan: 60_000,
  /** At most, between scans of one that nobody uses. */
  unusedScan: 600_000,
  /** Until a stopped environment is asked again whether it runs. */
  stopped: 10_000,
  /** How long an event may come after the scan that found its change. */
  lateEvent: 1_000,
  /** Between attempts to watch what could not be watched. */
  watchAgain: 300_000,
  /** Between rebuilds because a .gitignore changed. */
  ignoreRules: 5_000,
  /** How long an import of commits may hold up checkpoints. */
  importing: 30_000,
} as const;

/** When hints first and last given at these times are to be acted upon. */
export function whenHinted(first: number, last: number): number {
  return Math.min(last + pace.quiet, first + pace.longest);
}

/**
 * How long to wait after a scan: 3 s, growing to a minute with the time in which nothing has happened, and not so short
 * that scans take more than 2 % of a core. Never longer than a minute: how long a scan takes on a machine that is
 * overloaded says little about the next. Only where nothing runs inside and no event has come for minutes, scans take no
 * more than 0.05 % of a core: that is what fifty environments that nobody uses may cost.
 */
export function scanPause(scan: {
  readonly took: number;
  readonly idleFor: number;
  readonly polling: boolean;
  /** A command runs inside. */
  readonly busy: boolean;
}): number {
  const wanted = scan.polling ? pace.scan : Math.min(Math.max(Math.round(scan.idleFor / 2), pace.scan), pace.idleScan);
  const pause = Math.min(Math.max(wanted, scan.took * 50), pace.idleScan);
  const unused = !scan.polling && !scan.busy && wanted === pace.idleScan;
  return unused ? Math.min(Math.max(pause, scan.took * 2_000), pace.unusedScan) : pause;
}

/** How long after a scan the next may begin that hints ask for: at most a third of a core, and soon in any case. */
export function hintedScanPause(took: number): number {
  return Math.min(took * 2, pace.longest * 2);
}

/** 1 s, 2 s, 4 s … a minute. */
export function failurePause(failures: number): number {
  return failures === 0 ? 0 : Math.min(1_000 * 2 ** (failures - 1), 60_000);
}

/** 250 ms … 2 s, while a file is still being written. */
export function unsettledPause(times: number): number {
  return times === 0 ? 0 : Math.min(250 * 2 ** (times - 1), 2_000);
}

/** How long a watch is kept before it is made anew for being blind: a memory-mapped file makes every watch look blind. */
export function rebuildGap(rebuilds: number): number {
  return rebuilds === 0 ? 0 : Math.min(30_000 * 2 ** (rebuilds - 1), 600_000);
}
