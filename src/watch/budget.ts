/** How many inotify watches this process allows itself: the limit is per user, and other programs need some too. */
import { readFileSync } from 'node:fs';

export interface WatchBudget {
  readonly limit: number;
  readonly used: number;
  /** False when nothing is left. */
  take(): boolean;
  give(): void;
}

export function watchBudget(limit: number): WatchBudget {
  let used = 0;
  return {
    limit,
    get used() {
      return used;
    },
    take: () => {
      if (used >= limit) return false;
      used++;
      return true;
    },
    give: () => {
      used--;
    },
  };
}

const limitFile = '/proc/sys/fs/inotify/max_user_watches';
/** The kernel's own default on small machines, halved: for when the limit cannot be read. */
const cautious = 4096;

/** Half of what the kernel allows the user. */
export function halfOfKernelLimit(): number {
  try {
    const limit = Number.parseInt(readFileSync(limitFile, 'latin1'), 10);
    return Number.isSafeInteger(limit) ? Math.floor(limit / 2) : cautious;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return cautious;
    throw error;
  }
}
