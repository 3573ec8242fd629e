/** `working-tree-encoding`: the encodings that can be read here exactly as iconv reads them. */

/** UTF-8 bytes; undefined when the encoding is not known here or the bytes are not well formed in it. */
export function toUtf8(content: Buffer, encoding: string): Buffer | undefined {
  const decode = decoders.get(canonical(encoding));
  const text = decode?.(content);
  return text === undefined ? undefined : Buffer.from(text, 'utf8');
}

export function isUtf8(encoding: string): boolean {
  return canonical(encoding) === 'UTF8';
}

function canonical(encoding: string): string {
  return encoding.toUpperCase().replace(/^UTF-?(8|16|32)/, 'UTF$1');
}

const bigMark = Buffer.from([0xfe, 0xff]);
const littleMark = Buffer.from([0xff, 0xfe]);

const decoders: ReadonlyMap<string, (content: Buffer) => string | undefined> = new Map([
  // Git wants the byte order mark here …
  [
    'UTF16',
    (content: Buffer) => (startsWith(content, bigMark) || startsWith(content, littleMark) ? utf16(content) : undefined),
  ],
  // … allows it here …
  ['UTF16LE-BOM', (content: Buffer) => utf16(content)],
  // … and refuses it where the name has the order already.
  ['UTF16LE', (content: Buffer) => (marked(content) ? undefined : decode('utf-16le', content))],
  ['UTF16BE', (content: Buffer) => (marked(content) ? undefined : decode('utf-16be', content))],
  ['ISO-8859-1', (content: Buffer) => content.toString('latin1')],
  ['LATIN1', (content: Buffer) => content.toString('latin1')],
  ['US-ASCII', ascii],
  ['ASCII', ascii],
]);

function utf16(content: Buffer): string | undefined {
  if (startsWith(content, bigMark)) return decode('utf-16be', content.subarray(2));
  return decode('utf-16le', startsWith(content, littleMark) ? content.subarray(2) : content);
}

function decode(label: string, content: Buffer): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(content);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function ascii(content: Buffer): string | undefined {
  return content.every((byte) => byte < 0x80) ? content.toString('latin1') : undefined;
}

function marked(content: Buffer): boolean {
  return startsWith(content, bigMark) || startsWith(content, littleMark);
}

function startsWith(content: Buffer, mark: Buffer): boolean {
  return content.subarray(0, mark.length).equals(mark);
}
