/** Lets only a few at a time do heavy work. */
import type { Clock } from './clock.ts';

export interface Slots {
  use<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** Work that takes longer than `patience` milliseconds goes on, but no longer keeps others waiting. */
export function makeSlots(count: number, clock: Clock, patience = 30_000): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    use: async (work) => {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      let released = false;
      const releaseOnce = () => {
        if (!released) release();
        released = true;
      };
      const cancel = clock.after(patience, releaseOnce);
      try {
        return await work();
      } finally {
        cancel();
        releaseOnce();
      }
    },
  };
}
