/** Time as the daemon sees it; tests put their own in its place. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  date(): Date;
  /** Calls back once after `milliseconds`; what it returns cancels that. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Waits for `work`, but no longer than that. False when it goes on. Rejects as `work` does, if in time. */
export function within(clock: Clock, milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(milliseconds, () => resolve(false));
    work.then(
      () => {
        cancel();
        resolve(true);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
