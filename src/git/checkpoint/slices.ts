/** Long synchronous work in slices: after some 15 ms everybody else in the process gets a turn. */

export type Breathe = () => Promise<void> | undefined;

const sliceMs = 15;

/** Call often; `await` what it gives. It gives undefined while the slice lasts, which costs next to nothing. */
export function breathing(): Breathe {
  let until = performance.now() + sliceMs;
  return () => {
    if (performance.now() < until) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        until = performance.now() + sliceMs;
        resolve();
      });
    });
  };
}
