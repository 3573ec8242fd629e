/** A terminal without a native add-on: script(1) of util-linux makes it, stty(1) sets its size. */
import type { ExecRequest } from '../runtime.ts';

type Size = NonNullable<ExecRequest['terminal']>;

/** The command that runs `command` in a terminal of this size. `shell` is what $SHELL shall be inside. */
export function inTerminal(command: readonly string[], size: Size, shell: string | undefined): readonly string[] {
  // script hands its text to $SHELL, whose quoting we would not know: it gets /bin/sh, the command gets its own back.
  const own = shell === undefined ? 'unset SHELL' : `SHELL=${quote(shell)}`;
  const text = `stty ${sizeArguments(size).join(' ')}; ${own}; exec ${command.map(quote).join(' ')}`;
  return ['env', 'SHELL=/bin/sh', 'script', '--quiet', '--flush', '--return', '--command', text, '/dev/null'];
}

/** Arguments of stty that give a terminal this size. */
export function sizeArguments(size: Size): readonly string[] {
  return ['rows', String(Math.trunc(size.rows)), 'cols', String(Math.trunc(size.columns))];
}

/** One word for a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
