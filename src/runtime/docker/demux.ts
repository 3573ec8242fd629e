/** Takes the engine's one stream of an exec apart into stdout and stderr, holding it back when a reader is slow. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

export interface Demuxed {
  /** Resolves at the end of the stream, however it ended. */
  readonly done: Promise<void>;
  /** Whether a reader holds the stream back at the moment. */
  isHeldBack(): boolean;
  /** When the last bytes arrived, by performance.now(). */
  lastArrival(): number;
  /** Bytes that arrived so far. */
  received(): number;
}

const headerSize = 8;

/**
 * Frames are one byte 1 or 2 for the stream, three zero bytes, four bytes of length (Docker Engine API, "Attach"). When `stderr`
 * is undefined the stream is a terminal's and has no frames.
 */
export function demux(source: Readable, stdout: Writable, stderr: Writable | undefined): Demuxed {
  let heldBack = false;
  let arrival = performance.now();
  let received = 0;
  const parser = stderr === undefined ? terminalParser : frameParser();
  const write = async (target: Writable, chunk: Buffer) => {
    if (target.destroyed || target.write(chunk)) return;
    heldBack = true;
    await drained(target);
    heldBack = false;
    arrival = performance.now();
  };
  const pump = async () => {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      arrival = performance.now();
      received += chunk.length;
      for (const { stream, bytes } of parser(chunk)) {
        await write(stream === 'stderr' ? (stderr ?? stdout) : stdout, bytes);
      }
    }
  };
  return {
    // A broken connection ends the stream; whether the command is gone as well, its state says, not the stream.
    done: pump().catch(() => undefined),
    isHeldBack: () => heldBack,
    lastArrival: () => arrival,
    received: () => received,
  };
}

interface Piece {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

function terminalParser(chunk: Buffer): Piece[] {
  return [{ stream: 'stdout', bytes: chunk }];
}

/** A function to feed chunks to. Once bytes make no frame, everything from there on is taken as stdout. */
function frameParser(): (chunk: Buffer) => Piece[] {
  let header = Buffer.alloc(0);
  let stream: Piece['stream'] = 'stdout';
  let remaining = 0;
  let lost = false;
  return (chunk) => {
    const pieces: Piece[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (lost) {
        pieces.push({ stream: 'stdout', bytes: rest });
        break;
      }
      if (remaining > 0) {
        const bytes = rest.subarray(0, remaining);
        pieces.push({ stream, bytes });
        remaining -= bytes.length;
        rest = rest.subarray(bytes.length);
        continue;
      }
      const missing = headerSize - header.length;
      header = Buffer.concat([header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (!mayBeHeader(header)) {
        lost = true;
        rest = Buffer.concat([header, rest]);
      } else if (header.length === headerSize) {
        stream = header[0] === 2 ? 'stderr' : 'stdout';
        remaining = header.readUInt32BE(4);
        header = Buffer.alloc(0);
      }
    }
    return pieces;
  };
}

function mayBeHeader(bytes: Buffer): boolean {
  return bytes.every((byte, index) => (index === 0 ? byte <= 2 : index > 3 || byte === 0));
}

async function drained(target: Writable): Promise<void> {
  const gone = new AbortController();
  const waits = ['drain', 'close', 'error'].map((event) => once(target, event, { signal: gone.signal }));
  // The losers are rejected by the abort; that is what it is for.
  for (const wait of waits) wait.catch(() => undefined);
  try {
    await Promise.race(waits);
  } catch {
    // The reader is gone: what is still written to it is dropped, and the command goes on.
  } finally {
    gone.abort();
  }
}
