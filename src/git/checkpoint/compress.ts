/** The zlib streams that objects are stored as (RFC 1950): any git reads them; the least of the effort that pays is made. */
import { promisify } from 'node:util';
import { deflate, deflateSync, type ZlibOptions } from 'node:zlib';

/** Up to here a stream that stores its bytes as they are is hardly larger, and made twenty times as fast. */
const storedUpTo = 96;
/** Up to here a window and tables of zlib's smallest useful size do: they are cleared for every object. */
const smallUpTo = 4 * 2 ** 10;
const small: ZlibOptions = { level: 1, windowBits: 12, memLevel: 5, chunkSize: 2 ** 10 };
/** Above this, compressing would hold up the event loop: to the thread pool. */
const hereUpTo = 32 * 2 ** 10;
const elsewhere = promisify<Buffer, ZlibOptions, Buffer>(deflate);

export function compress(content: Buffer): Buffer | Promise<Buffer> {
  if (content.length <= storedUpTo) return stored(content);
  if (content.length <= smallUpTo) return deflateSync(content, small);
  if (content.length <= hereUpTo) return deflateSync(content, { level: 1 });
  return elsewhere(content, { level: 1 });
}

/** One block, not compressed (RFC 1951, 3.2.4). */
function stored(content: Buffer): Buffer {
  const stream = Buffer.allocUnsafe(content.length + 11);
  stream.writeUInt16BE(0x7801, 0);
  stream.writeUInt8(1, 2);
  stream.writeUInt16LE(content.length, 3);
  stream.writeUInt16LE(~content.length & 0xffff, 5);
  content.copy(stream, 7);
  stream.writeUInt32BE(adler32(content), content.length + 7);
  return stream;
}

/** Of so few bytes that the sums need no reduction on the way. */
function adler32(content: Buffer): number {
  let low = 1;
  let high = 0;
  for (const byte of content) {
    low += byte;
    high += low;
  }
  return (high % 65_521) * 65_536 + (low % 65_521);
}
