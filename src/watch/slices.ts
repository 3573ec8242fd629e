/** Long work on the event loop in short pieces. */

/**
 * Makes a function to be called often during long work: it gives undefined while the current slice lasts and a promise
 * to wait for, which lets everything else have a turn, once `milliseconds` are used up.
 */
export function slices(milliseconds = 8): () => Promise<void> | undefined {
  let end = performance.now() + milliseconds;
  return () => {
    if (performance.now() < end) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        end = performance.now() + milliseconds;
        resolve();
      });
    });
  };
}
