/** A command's output that ends with the command, although a child it left in the background holds the pipe open. */
import { PassThrough, type Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

/** What a pipe can hold when the command ends: 64 KiB in the kernel and as much in Node, with room to spare. */
const enough = 2 ** 20;

/**
 * Everything `source` gave until `ended` resolved, then the end. Keeps back-pressure. Destroying it closes the source.
 */
export function endingWith(source: Readable, ended: Promise<unknown>): Readable {
  const out = new PassThrough();
  source.pipe(out);
  source.on('error', (error) => out.destroy(error));
  out.on('close', () => source.destroy());
  void ended.then(async () => {
    await drained(source, out);
    source.unpipe(out);
    out.end();
  });
  return out;
}

/**
 * Resolves when the pipe is empty: what was written before the command ended is readable at once, so three turns of
 * the event loop that could read and got nothing have seen the last of it.
 */
async function drained(source: Readable, out: PassThrough): Promise<void> {
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
  };
  source.on('data', count);
  for (let quiet = 0; quiet < 3 && bytes < enough && !source.readableEnded && !out.destroyed; ) {
    const before = bytes;
    if (out.writableNeedDrain) await Promise.race(['drain', 'close'].map((event) => once(out, event)));
    await turn();
    quiet = bytes === before && source.isPaused() === false ? quiet + 1 : 0;
  }
  source.off('data', count);
}

function once(stream: PassThrough, event: string): Promise<void> {
  return new Promise((resolve) => stream.once(event, () => resolve()));
}
