/** Tells a failed start from a command's output where both come on the same stream. */
import { Transform, type TransformCallback } from 'node:stream';

/** How tini, which guards each exec, and the engine begin their message about a command they could not start. */
const openings = ['[FATAL tini (', 'OCI runtime exec failed: '].map((text) => Buffer.from(text));
const longestMessage = 8_192;

export interface StartGate {
  /** Passes everything on, except that a beginning which may be such a message waits for the verdict. */
  readonly stream: Transform;
  /** The message that waits, if any. */
  held(): string | undefined;
  /** The message was none after all, or was one and is dropped. Then the stream can be ended. */
  decide(verdict: 'pass' | 'drop'): void;
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
      if (isOpening(waiting) && waiting.length < longestMessage) {
        done();
        return;
      }
      open = true;
      done(null, waiting);
      waiting = Buffer.alloc(0);
    },
    flush(done: TransformCallback) {
      done(null, waiting.length === 0 ? undefined : waiting);
    },
  });
  return {
    stream,
    held: () => (isWhole(waiting) ? waiting.toString('utf8') : undefined),
    decide: (verdict) => {
      if (verdict === 'drop') waiting = Buffer.alloc(0);
    },
  };
}

function isOpening(bytes: Buffer): boolean {
  return openings.some((opening) => {
    const length = Math.min(opening.length, bytes.length);
    return bytes.subarray(0, length).equals(opening.subarray(0, length));
  });
}

function isWhole(bytes: Buffer): boolean {
  return openings.some((opening) => bytes.subarray(0, opening.length).equals(opening));
}
