/** Tells the message about a command that could not be started from what the command itself wrote. */
import { Transform, type TransformCallback } from 'node:stream';

/** Who writes it, on stderr or on the one stream of a terminal. */
export interface Teller {
  readonly opening: string;
  /** The whole message, as far as its lines are complete. */
  readonly lines: RegExp;
}

/** tini 0.19, `PRINT_FATAL`. */
export const guardTells: Teller = { opening: '[FATAL tini (', lines: /^[^\n]*\n$/ };
/** Podman 4.3: the words of the OCI runtime, and often what became of its own connection. */
export const podmanTells: Teller = {
  opening: 'Error: ',
  lines: /^Error: [^\n]*\bOCI (?:runtime|permission)[^\n]*\n(?:Error: read unixpacket [^\n]*\n)?$/,
};
const longestMessage = 8_192;

export interface StartGate {
  /** Passes everything on, except that a beginning which may be the message waits for the stream's end. */
  readonly stream: Transform;
  /** Whether the message, and nothing else, waits. Then it is dropped. */
  drop(): boolean;
}

export function startGate(highWaterMark: number, { opening, lines }: Teller): StartGate {
  let waiting = Buffer.alloc(0);
  let open = false;
  /** Its last line may not be complete yet. */
  const mayBeMessage = (): boolean => {
    const text = waiting.toString('latin1');
    if (!text.startsWith(opening.slice(0, text.length)) || text.length >= longestMessage) return false;
    const complete = text.slice(0, text.lastIndexOf('\n') + 1);
    return complete === '' || lines.test(complete);
  };
  const stream = new Transform({
    highWaterMark,
    transform(chunk: Buffer, _, done: TransformCallback) {
      if (open) {
        done(null, chunk);
        return;
      }
      waiting = Buffer.concat([waiting, chunk]);
      if (mayBeMessage()) {
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
