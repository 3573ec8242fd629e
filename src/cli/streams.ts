/** The caller's terminal and streams, as operations need them. */
import type { ReadStream, WriteStream } from 'node:tty';
import type { Streams } from '../operations/operation.ts';

const forwarded: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** With `quiet` (for --json) a command's output is kept and not passed on: stdout is one document. */
export function callerStreams(stdin: ReadStream, stdout: WriteStream, stderr: WriteStream): Streams {
  const interactive = stdin.isTTY === true && stdout.isTTY === true;
  return {
    stdin,
    stdout,
    stderr,
    passStdin: stdin.isTTY !== true,
    ...(interactive ? { terminal: terminalOf(stdin, stdout) } : {}),
    onSignal(listener) {
      for (const name of forwarded) process.on(name, listener);
      return () => {
        for (const name of forwarded) process.off(name, listener);
      };
    },
  };
}

function terminalOf(stdin: ReadStream, stdout: WriteStream): NonNullable<Streams['terminal']> {
  return {
    size: () => ({ rows: stdout.rows, columns: stdout.columns }),
    onResize(listener) {
      stdout.on('resize', listener);
      return () => void stdout.off('resize', listener);
    },
    raw() {
      stdin.setRawMode(true);
      return () => void stdin.setRawMode(false);
    },
  };
}
