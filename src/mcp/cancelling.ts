/** A cancelled call ends as Ctrl-C ends a command: what runs inside is interrupted, and what was begun is undone. */
import { Readable } from 'node:stream';
import type { Streams } from '../operations/operation.ts';
import type { Telling } from './telling.ts';

export interface Cancelling {
  /** Aborts where nothing runs inside that could be interrupted instead. */
  readonly signal: AbortSignal;
  readonly streams: Streams;
  /** Nothing is to be cancelled any more. */
  end(): void;
}

/** Milliseconds for an interrupted command to end by itself; less when the client is gone, which may soon end us as well. */
const patience = { cancelled: 3000, gone: 1000 };

export function cancelling(cancelled: AbortSignal, gone: AbortSignal, telling: Telling): Cancelling {
  const asked = AbortSignal.any([cancelled, gone]);
  const ending = new AbortController();
  const listeners = new Set<(name: NodeJS.Signals) => void>();
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    for (const listener of listeners) listener('SIGINT');
  };
  const insist = () => {
    // Three interrupts end the whole process tree inside.
    interrupt();
    interrupt();
    ending.abort();
  };
  const cancel = () => {
    if (listeners.size === 0) return ending.abort();
    interrupt();
    timer ??= setTimeout(insist, gone.aborted ? patience.gone : patience.cancelled);
  };
  if (asked.aborted) cancel();
  else asked.addEventListener('abort', cancel, { once: true });
  return {
    signal: ending.signal,
    streams: {
      stdin: Readable.from([]),
      stdout: telling.output(),
      stderr: telling.output(),
      // The protocol has it.
      passStdin: false,
      onSignal(listener) {
        listeners.add(listener);
        if (asked.aborted) cancel();
        return () => void listeners.delete(listener);
      },
    },
    end() {
      clearTimeout(timer);
      asked.removeEventListener('abort', cancel);
    },
  };
}
