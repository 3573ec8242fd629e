/**
 * Waiting for something to become true, with a deadline instead of a sleep. The deadline only keeps a test from hanging:
 * machines are shared and slow, and how long things take is what `npm run bench` measures.
 */

/** Milliseconds after which a test that waits is taken to hang. */
export const hangs = 90_000;

/** Asks again and again until `condition` holds; fails with what `otherwise` says after `deadline` milliseconds. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  otherwise: () => string = () => 'it never became true',
  deadline = hangs,
): Promise<void> {
  const until = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`After ${deadline} ms: ${otherwise()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
