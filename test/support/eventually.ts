/** Waiting for something to become true, with a deadline instead of a sleep. */

/** Asks again and again until `condition` holds; fails with what `otherwise` says after `deadline` milliseconds. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  otherwise: () => string = () => 'it never became true',
  deadline = 15_000,
): Promise<void> {
  const until = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`After ${deadline} ms: ${otherwise()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
