/** Long work on the event loop in short pieces, so that everybody else in the process gets a turn. */

/** Call it often during long work and await what it gives: undefined, which costs next to nothing, while the slice lasts. */
export type Breathe = () => Promise<void> | undefined;

/** Slices of so many milliseconds. */
export function breathing(milliseconds = 15): Breathe {
  let until = performance.now() + milliseconds;
  return () => {
    if (performance.now() < until) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        until = performance.now() + milliseconds;
        resolve();
      });
    });
  };
}
