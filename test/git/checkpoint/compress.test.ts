import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compress } from '../../../src/git/checkpoint/compress.ts';
import { randomFrom } from '../../faults/writer.ts';

test.each([0, 1, 95, 96, 97, 255, 4_095, 4_096, 4_097, 32_767, 32_768, 32_769, 300_000])(
  'what was compressed comes back, %i bytes of text, zeros, ones and noise',
  async (size) => {
    const random = randomFrom(size + 1);
    const contents = [
      Buffer.from('the quick brown fox\n'.repeat(1 + size / 20)).subarray(0, size),
      Buffer.alloc(size),
      Buffer.alloc(size, 0xff),
      Buffer.from(Uint8Array.from({ length: size }, () => random(256))),
    ];
    for (const content of contents) {
      const stream = await compress(content);
      expect(inflateSync(stream).equals(content)).toBe(true);
      expect(stream.length).toBeLessThanOrEqual(size + 100 + size / 100);
    }
  },
);
