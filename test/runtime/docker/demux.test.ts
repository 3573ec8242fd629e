import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demux } from '../../../src/runtime/docker/demux.ts';
import { rounds } from '../../support/random.ts';

function frame(stream: 1 | 2, content: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** `bytes` in pieces of these sizes, over and over. */
function inPieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

async function taken(chunks: readonly Buffer[]): Promise<[Buffer, Buffer]> {
  const [stdout, stderr] = [new PassThrough({ highWaterMark: 16 }), new PassThrough({ highWaterMark: 16 })];
  const contents = Promise.all([buffer(stdout), buffer(stderr)]);
  await demux(Readable.from(chunks), stdout, stderr).done;
  stdout.end();
  stderr.end();
  return contents;
}

describe('the engine’s frames', () => {
  test('are taken apart however the bytes are cut', async () => {
    const content = fc.tuple(fc.constantFrom<1 | 2>(1, 2), fc.uint8Array({ maxLength: 100 }));
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(content, { maxLength: 20 }), sizes, async (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(([stream, part]) => frame(stream, part)));
        const of = (wanted: number) =>
          Buffer.concat(frames.flatMap(([stream, part]) => (stream === wanted ? [part] : [])));
        const [stdout, stderr] = await taken(inPieces(bytes, cuts));
        expect(stdout.equals(of(1))).toBe(true);
        expect(stderr.equals(of(2))).toBe(true);
      }),
      { numRuns: rounds(200) },
    );
  });

  test('what is no frame is stdout', async () => {
    const [stdout, stderr] = await taken([frame(2, Buffer.from('err')), Buffer.from('OCI runtime says no')]);
    expect([stdout.toString(), stderr.toString()]).toEqual(['OCI runtime says no', 'err']);
  });

  test('a reader that goes away does not hold the other back', async () => {
    const [stdout, stderr] = [new PassThrough({ highWaterMark: 1 }), new PassThrough({ highWaterMark: 1 })];
    const chunks = [frame(1, Buffer.alloc(100)), frame(1, Buffer.alloc(100)), frame(2, Buffer.from('still here'))];
    const seen = buffer(stderr);
    const { done } = demux(Readable.from(chunks), stdout, stderr);
    stdout.destroy();
    await done;
    stderr.end();
    expect((await seen).toString()).toBe('still here');
  });
});
