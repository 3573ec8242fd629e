/** Tells the guard's message about a command it could not start from what the command itself wrote. */
import { Transform, type TransformCallback } from 'node:stream';

/** How tini begins that message, on stderr or on the one stream of a terminal (tini 0.19, `PRINT_FATAL`). */
const opening = Buffer.from('[FATAL tini (');
const longestMessage = 8_192;

export interface StartGate {
  /** Passes everything on, except that a beginning which may be the message waits for the stream's end. */
  readonly stream: Transform;
  /** Whether the message, and nothing else, waits. Then it is dropped. */
  drop(): boolean;
}

export function startGate(highWaterMark: number): StartGate {
  let waiting = Buffer.alloc(0);
  let open = false;
  const stream = new Transform({
    highWaterMark,
    transform(chunk: Buffer, _, done: TransformCallback) {
      if (open) {
        done(null, chunk);
        return;
      }
      waiting = Buffer.concat([waiting, chunk]);
      if (mayBeMessage(waiting)) {
        done();
        return;
      }
      open = true;
      done(null, waiting);
    },
    flush(done: TransformCallback) {
      done(null, open || waiting.length === 0 ? undefined : waiting);
    },
  });
  return {
    stream,
    drop: () => {
      if (open || waiting.length < opening.length) return false;
      waiting = Buffer.alloc(0);
      return true;
    },
  };
}

/** One line, perhaps not yet complete. */
function mayBeMessage(bytes: Buffer): boolean {
  const length = Math.min(opening.length, bytes.length);
  if (!bytes.subarray(0, length).equals(opening.subarray(0, length))) return false;
  const lineEnd = bytes.indexOf(10);
  return bytes.length < longestMessage && (lineEnd === -1 || lineEnd === bytes.length - 1);
}
