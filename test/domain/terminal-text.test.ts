import { describe, expect, it } from 'vitest';
import { forTerminal, jsonText, visible } from '../../src/domain/terminal-text.ts';

const esc = String.fromCharCode(27);
const csi = String.fromCharCode(0x9b);
const override = String.fromCharCode(0x202e);

describe('text that an agent may have chosen', () => {
  it.each([
    ['a colour', `${esc}[31mred`, '^[[31mred'],
    ['a title, ended by BEL', `${esc}]0;owned\x07`, '^[]0;owned^G'],
    ['a line that overwrites itself', 'harmless\rrm -rf', 'harmless^Mrm -rf'],
    ['characters taken back', 'evil\b\b\b\bgood', 'evil^H^H^H^Hgood'],
    ['an eight-bit introducer', `${csi}2J`, '<U+009B>2J'],
    ['another direction of writing', `a${override}b`, 'a<U+202E>b'],
    ['DEL and NUL', '\x7f\x00', '^?^@'],
    ['what is no control character', 'größe 日本 🎉\tx\n', 'größe 日本 🎉\tx\n'],
  ])('shows %s instead of sending it', (_, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it('keeps our own colours at the last gate, and nothing else', () => {
    const ours = `${esc}[1m${esc}[32mmerged${esc}[39m${esc}[22m`;
    expect(forTerminal(ours)).toBe(ours);
    expect(forTerminal(`${esc}[8mhidden${esc}[2J${esc}[31;1m`)).toBe('^[[8mhidden^[[2J^[[31;1m');
  });

  it('is the same value in JSON, without anything a terminal obeys', () => {
    const value = { text: `${esc}${csi}${override}\x7f"ü` };
    const text = jsonText(value);
    expect(JSON.parse(text)).toEqual(value);
    expect(text).toMatch(/^[\x20-\x7e\u00fc]+$/);
  });
});
