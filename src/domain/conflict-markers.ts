/** Finds what a merge leaves in a file where it conflicts (git-merge(1), “How conflicts are presented”). Pure. */

const marker = /^(?:<{7} |={7}\r?$|>{7} )/gm;

/** How many regions of `<<<<<<<`, `=======`, `>>>>>>>`, each at the start of a line and in that order. None in a binary file. */
export function countConflicts(content: Buffer): number {
  // Most files have none, and this looks through bytes only.
  if (!content.includes('<<<<<<< ') || isBinary(content)) return 0;
  let found = 0;
  let awaited = '<';
  for (const [text] of content.toString('latin1').matchAll(marker)) {
    const kind = text.charAt(0);
    if (kind === '<') awaited = '=';
    else if (kind === '=' && awaited === '=') awaited = '>';
    else if (kind === '>' && awaited === '>') {
      found += 1;
      awaited = '<';
    }
  }
  return found;
}

/** As git decides: a NUL among the first 8,000 bytes. */
export function isBinary(content: Buffer): boolean {
  return content.subarray(0, 8000).includes(0);
}

const begin = /^<{7,}(?: |$)/;
const base = /^\|{7,}(?: |$)/;
const middle = /^={7,}\r?$/;
const end = /^>{7,}(?: |$)/;

/** The text as it is when `ours` is taken in every conflict (also of diff3 form). Undefined where the markers do not match up. */
export function ourSide(text: string): string | undefined {
  const kept: string[] = [];
  let side: 'none' | 'ours' | 'base' | 'theirs' = 'none';
  for (const line of text.split('\n')) {
    if (side === 'none' && begin.test(line)) side = 'ours';
    else if (side === 'ours' && base.test(line)) side = 'base';
    else if ((side === 'ours' || side === 'base') && middle.test(line)) side = 'theirs';
    else if (side === 'theirs' && end.test(line)) side = 'none';
    else if (side === 'none' || side === 'ours') kept.push(line);
  }
  return side === 'none' ? kept.join('\n') : undefined;
}
