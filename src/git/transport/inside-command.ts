/** The command that serves git's protocol inside. */

/**
 * Under `timeout` where the image has it: a server can outlive the connection to it (FACTS §8), and then nobody else ends
 * it. Protocol version 0 speaks first and once, which is what a single pipe wants; it is what git uses without GIT_PROTOCOL.
 */
export function served(command: readonly string[], milliseconds: number): readonly string[] {
  const seconds = String(Math.ceil(milliseconds / 1_000));
  return ['sh', '-c', script, seconds, ...command];
}

const script = 'unset GIT_PROTOCOL; if command -v timeout >/dev/null 2>&1; then exec timeout "$0" "$@"; fi; exec "$@"';
