/** Secrets never show, however the stream is cut and however they are written. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskingOf } from '../../src/domain/mask.ts';

function masked(values: readonly string[], text: string, cuts: readonly number[] = [], interactive = false): string {
  const mask = maskingOf(values.map((value) => Buffer.from(value))).stream({ interactive });
  const bytes = Buffer.from(text);
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  const parts = edges.slice(1).map((end, index) => mask.push(bytes.subarray(edges[index], end)));
  return Buffer.concat([...parts, mask.end()]).toString('utf8');
}

describe('masking', () => {
  it.each([
    ['as it is', 'hunter2-hunter2', 'a hunter2-hunter2.', 'a ***.'],
    ['twice in a row', 'abcabc', 'abcabcabcabcx', '***x'],
    ['overlapping itself', 'abcabc', 'xabcabcabcx', 'x***x'],
    ['one in another', 'secret-one', 'not-secret-on', 'not-secret-on'],
    ['short values are left alone', 'short', 'short', 'short'],
    ['in JSON', 'say "hi"\\there', JSON.stringify({ a: 'say "hi"\\there' }), '{"a":"***"}'],
    ['in an address', 'p@ss/word?', 'https://u:p%40ss%2Fword%3F@h', 'https://u:***@h'],
    ['in an address, lower case', 'p@ss/word?', 'https://u:p%40ss%2fword%3f@h', 'https://u:***@h'],
    ['in hexadecimal digits', 'secret-one', `x${Buffer.from('secret-one').toString('hex')}x`, 'x***x'],
    ['in a shell’s quotes', "it's mine", "export A='it'\\''s mine'", "export A='***'"],
    ['line by line', 'first line\nsecond line\n', '> first line\r\n> second line\r\n', '> ***\r\n> ***\r\n'],
  ])('%s', (_, value, text, wanted) => {
    expect(masked([value], text)).toBe(wanted);
  });

  it.each(['', 'x', 'xy', 'xyz'])('in base64 after %j, as base64(1) writes it, long or short', (before) => {
    for (const value of ['secret-one', 'a-long-secret-'.repeat(20)]) {
      const text = execFileSync('base64', ['-w0'], { input: `${before}${value}, and more` }).toString();
      const shown = masked([value], text);
      expect(shown.startsWith('***') || before !== '').toBe(true);
      // What is left is of the characters around it.
      expect(Buffer.from(shown.split('***')[0] ?? '', 'base64').toString('latin1')).not.toContain(value.slice(0, 3));
      expect(shown).toMatch(/^.{0,4}\*\*\*.{0,16}$/);
    }
    const wrapped = execFileSync('base64', [], { input: 'a-long-secret-'.repeat(20) }).toString();
    expect(masked(['a-long-secret-'.repeat(20)], wrapped)).toMatch(/^(\*\*\*(==)?\n?)+$/);
  });

  it('wherever the stream is cut', () => {
    const values = ['first-secret', 'secret-second', 'second'];
    const piece = fc.oneof(fc.constantFrom(...values, 'first-secret-second', 'first-sec', 'x', '\n'), fc.string());
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat()), fc.boolean(), (pieces, cuts, interactive) => {
        const text = pieces.join('');
        const shown = masked(values, text, cuts, interactive);
        for (const value of values)
          expect(interactive ? shown.includes(value.slice(3)) : shown.includes(value)).toBe(false);
        if (!interactive) expect(shown).toBe(masked(values, text));
        if (!values.some((value) => text.includes(value))) expect(shown).toBe(text);
      }),
    );
  });

  it('holds nothing back but the beginning of a secret; in a terminal not even its first three bytes', () => {
    const masking = maskingOf([Buffer.from('secret-one')]);
    const mask = masking.stream();
    expect(mask.push(Buffer.from('plain s')).toString()).toBe('plain ');
    expect(mask.push(Buffer.from('o')).toString()).toBe('so');
    expect(mask.push(Buffer.from('secret-one')).toString()).toBe('***');
    const terminal = masking.stream({ interactive: true });
    expect(terminal.push(Buffer.from('sec')).toString()).toBe('sec');
    expect(terminal.push(Buffer.from('ret-one!')).toString()).toBe('***!');
  });
});
