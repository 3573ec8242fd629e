/**
 * Text that an agent may have had a hand in, made safe to show: names, messages, file contents and errors can hold
 * sequences that a terminal obeys, and characters that make one text look like another. Pure.
 */

/** What coppice's own colours are made of; all of them only change how text looks. */
const colour = '\\x1b\\[(?:[12]|22|3[1236]|39)m';

/** C0 (line ends and tabs apart), DEL and C1; and what turns the direction of writing (Unicode UAX 9: explicit marks). */
const unseen = '[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]';

const anyUnseen = new RegExp(unseen, 'g');
const unseenOrColour = new RegExp(`(${colour})|${unseen}`, 'g');

/** Every control character in a form that can be seen, line ends and tabs kept: `^[` as cat -v has it, `<U+202E>`. */
export function visible(text: string): string {
  return text.replace(anyUnseen, shown);
}

/** The last gate before a terminal: what `visible` does, with the colours that coppice itself puts there left alone. */
export function forTerminal(text: string): string {
  return text.replace(unseenOrColour, (character, painted: string | undefined) => painted ?? shown(character));
}

/** Inside JSON: the same value, but nothing a terminal would obey (JSON itself escapes C0 only). */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(
    anyUnseen,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function shown(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
  if (code === 0x7f) return '^?';
  return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}
