/** Line endings on their way into git: `text`, `eol` and `core.autocrlf`, decided as git's convert.c decides. */

/** Where CRLF goes to LF: `always`, or `auto` for what looks like text. `checkout`: what the way out makes of LF. */
export interface EndingPolicy {
  readonly convert: 'never' | 'auto' | 'always';
  readonly checkout: 'lf' | 'crlf';
}

export interface EndingCounts {
  readonly crlf: number;
  readonly loneLf: number;
  readonly loneCr: number;
  readonly binary: boolean;
}

export function countEndings(content: Uint8Array): EndingCounts {
  let crlf = 0;
  let loneLf = 0;
  let loneCr = 0;
  let nul = 0;
  let printable = 0;
  let other = 0;
  for (let at = 0; at < content.length; at++) {
    const byte = content[at] ?? 0;
    if (byte === 0x0d) {
      if (content[at + 1] === 0x0a) {
        crlf += 1;
        at += 1;
      } else loneCr += 1;
    } else if (byte === 0x0a) loneLf += 1;
    else if (byte === 0) nul += 1;
    else if (isPrintable(byte)) printable += 1;
    else other += 1;
  }
  // DOS's end-of-file mark.
  if (content.at(-1) === 0x1a) other -= 1;
  return { crlf, loneLf, loneCr, binary: loneCr > 0 || nul > 0 || printable >> 7 < other };
}

/** Backspace, tab, form feed and escape occur in text. */
function isPrintable(byte: number): boolean {
  if (byte < 0x20) return byte === 0x08 || byte === 0x09 || byte === 0x0c || byte === 0x1b;
  return byte !== 0x7f;
}

/** Whether the file must be left as it is under `auto`: it is in git with CRLF already. */
export function keepsCrlf(recorded: Uint8Array): boolean {
  const counts = countEndings(recorded);
  return counts.crlf > 0 && !counts.binary;
}

export function crlfToLf(content: Buffer): Buffer {
  const result = Buffer.allocUnsafe(content.length);
  let length = 0;
  for (let from = 0; from < content.length; ) {
    const found = content.indexOf('\r\n', from, 'latin1');
    const until = found < 0 ? content.length : found;
    length += content.copy(result, length, from, until);
    from = found < 0 ? content.length : found + 1;
  }
  return result.subarray(0, length);
}

/** What `core.safecrlf=true` asks: whether checking the file out again would give other line endings. */
export function losesEndings(counts: EndingCounts, converted: boolean, policy: EndingPolicy): boolean {
  let crlf = converted ? 0 : counts.crlf;
  let loneLf = converted ? counts.loneLf + counts.crlf : counts.loneLf;
  const untouched = policy.convert === 'auto' && (counts.loneCr > 0 || crlf > 0 || counts.binary);
  if (policy.checkout === 'crlf' && policy.convert !== 'never' && !untouched) {
    crlf += loneLf;
    loneLf = 0;
  }
  return (counts.crlf > 0 && crlf === 0) || (counts.loneLf > 0 && loneLf === 0);
}
