/** The caller's terminal and streams, as operations need them. */
import { Writable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Streams } from '../operations/operation.ts';

const forwarded: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** Takes everything and keeps nothing. */
export function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

export function callerStreams(stdin: ReadStream, stdout: WriteStream | Writable, stderr: Writable): Streams {
  const interactive = stdin.isTTY === true && isTerminal(stdout);
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

function isTerminal(stream: WriteStream | Writable): stream is WriteStream {
  return 'isTTY' in stream && stream.isTTY === true;
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
