/**
 * The forms in which a secret shows in outputs and files: as it is, line by line, and as the usual encoders write it.
 * Not known are what somebody encrypts, compresses, splits or reverses on purpose. Pure.
 */

import { plainName } from './denied-host.ts';

/** Bytes. A shorter text would be found everywhere; it is neither masked nor looked for. */
export const shortestForm = 6;
/** Where base64(1), PEM and MIME break their lines. */
const lineWidths = [64, 76];

export interface SecretForm {
  readonly bytes: Buffer;
  /** The value itself, or a line of it. */
  readonly plain: boolean;
}

/** Each once. Empty for a value that is too short. */
export function formsOf(given: Buffer): readonly SecretForm[] {
  // What its encodings begin with is the same with or without the line end that files and programs add.
  const value = Buffer.from(given.toString('latin1').replace(/(?:\r?\n)+$/, ''), 'latin1');
  const plain = new Map<string, SecretForm>();
  const encoded = new Map<string, SecretForm>();
  const add = (to: Map<string, SecretForm>, bytes: Buffer) => {
    if (bytes.length >= shortestForm) to.set(bytes.toString('latin1'), { bytes, plain: to === plain });
  };
  for (const part of [value, ...linesOf(value)]) {
    add(plain, part);
    for (const text of textForms(part.toString('utf8'))) add(encoded, Buffer.from(text));
  }
  for (const text of [...base64Forms(value), value.toString('hex'), value.toString('hex').toUpperCase()]) {
    // A short value's base64 is no more telling than the value.
    if (value.length >= shortestForm) add(encoded, Buffer.from(text));
  }
  for (const key of plain.keys()) encoded.delete(key);
  return [...plain.values(), ...encoded.values()];
}

/** The further forms that a secret has where it is put into the name of a host: what is told of one has plain characters only. */
export function hostFormsOf(given: Buffer): readonly Buffer[] {
  const forms = formsOf(given).map(({ bytes }) => bytes.toString('latin1'));
  const known = new Set(forms);
  const further = forms.map(plainName).flatMap((text) => [text, text.toLowerCase()]);
  return [...new Set(further)].filter((text) => !known.has(text)).map((text) => Buffer.from(text, 'latin1'));
}

/** Without what surrounds a line: terminals and editors change it. */
function linesOf(value: Buffer): readonly Buffer[] {
  const lines = value.toString('latin1').split(/\r?\n|\r/);
  return lines.map((line) => Buffer.from(line.trim(), 'latin1'));
}

function textForms(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const url = encodeURIComponent(text);
  const strict = url.replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  const lowered = strict.replace(/%[0-9A-F]{2}/g, (each) => each.toLowerCase());
  const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [
    json,
    json.replaceAll('/', '\\/'),
    json.replace(/[^\x00-\x7f]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`),
    url,
    strict,
    lowered,
    strict.replaceAll('%20', '+'),
    html,
    html.replaceAll('"', '&quot;'),
    // In a shell's single quotes, as `set -x` and `export -p` print it.
    text.replaceAll("'", "'\\''"),
  ];
}

/** Of each of the three alignments the characters that depend on the value alone; and with the last one, at the end. */
function base64Forms(value: Buffer): readonly string[] {
  const found: string[] = [];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), value])
      .toString('base64')
      .replace(/=+$/, '');
    const first = Math.ceil((before * 8) / 6);
    const last = (before + value.length) % 3 === 0 ? text.length : text.length - 1;
    found.push(text.slice(first, last), text.slice(first));
  }
  const whole = value.toString('base64').replace(/=+$/, '');
  for (const width of lineWidths) {
    if (whole.length <= width) continue;
    for (let at = 0; at < whole.length; at += width) found.push(whole.slice(at, at + width));
  }
  return found.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]);
}
