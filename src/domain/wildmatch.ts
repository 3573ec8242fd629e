/**
 * Git's pattern language (gitignore(5), and the behaviour of git's own matcher where the manual is silent). Patterns
 * become a list of tokens that is run as a non-deterministic automaton: time is pattern × text, whatever the
 * pattern. Backtracking would let a hostile .gitignore stop the host for ever.
 */

/** One character of the pattern language, or a run of it. Characters are bytes 0–255. */
type Token =
  | { readonly kind: 'byte'; readonly byte: number }
  | { readonly kind: 'any' }
  | { readonly kind: 'class'; readonly matches: (byte: number) => boolean }
  /** `crosses`: also over '/'. `optional`: is the star-star of star-star-slash, which may also match nothing with its slash. */
  | { readonly kind: 'star'; readonly crosses: boolean; readonly optional: boolean };

export interface MatchOptions {
  /** '/' is only matched by '/' and by star-star. */
  readonly pathname: boolean;
  readonly ignoreCase: boolean;
}

export type Matcher = (text: string) => boolean;

const never: Matcher = () => false;
const slash = 0x2f;
const star = 0x2a;
const backslash = 0x5c;

export function compilePattern(pattern: string, options: MatchOptions): Matcher {
  const tokens = tokenize(pattern, options);
  return tokens === undefined ? never : (text) => runs(tokens, text, options);
}

/** undefined: the pattern is malformed and matches nothing. */
function tokenize(pattern: string, options: MatchOptions): readonly Token[] | undefined {
  const tokens: Token[] = [];
  let at = 0;
  while (at < pattern.length) {
    const byte = pattern.charCodeAt(at);
    if (byte === star) {
      const run = starRun(pattern, at, options);
      tokens.push(run.token);
      at = run.end;
    } else if (byte === 0x3f) {
      tokens.push({ kind: 'any' });
      at += 1;
    } else if (byte === 0x5b) {
      const parsed = parseClass(pattern, at + 1, options.ignoreCase);
      if (parsed === undefined) return undefined;
      tokens.push({ kind: 'class', matches: parsed.matches });
      at = parsed.end;
    } else if (byte === backslash) {
      if (at + 1 >= pattern.length) return undefined;
      // Not folded: git compares an escaped letter as it stands with the text in lower case.
      tokens.push({ kind: 'byte', byte: pattern.charCodeAt(at + 1) });
      at += 2;
    } else {
      tokens.push({ kind: 'byte', byte: options.ignoreCase ? lower(byte) : byte });
      at += 1;
    }
  }
  return tokens;
}

function starRun(pattern: string, at: number, options: MatchOptions): { readonly token: Token; readonly end: number } {
  let end = at + 1;
  while (pattern.charCodeAt(end) === star) end += 1;
  if (!options.pathname) return { token: { kind: 'star', crosses: true, optional: false }, end };
  const bounded =
    end - at > 1 &&
    (at === 0 || pattern.charCodeAt(at - 1) === slash) &&
    (end === pattern.length || pattern[end] === '/' || pattern.startsWith('\\/', end));
  return { token: { kind: 'star', crosses: bounded, optional: bounded && pattern[end] === '/' }, end };
}

/** Set of positions in `tokens` that the text so far can have led to; stepped once per byte of text. */
function runs(tokens: readonly Token[], text: string, options: MatchOptions): boolean {
  let now = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  enter(tokens, now, 0);
  for (let at = 0; at < text.length; at++) {
    const raw = text.charCodeAt(at);
    const byte = options.ignoreCase ? lower(raw) : raw;
    let alive = false;
    next.fill(0);
    for (let state = 0; state < tokens.length; state++) {
      const token = tokens[state];
      if (now[state] !== 1 || token === undefined || !accepts(token, byte, options)) continue;
      const stays = token.kind === 'star';
      enter(tokens, next, stays ? state : state + 1, stays);
      alive = true;
    }
    if (!alive) return false;
    [now, next] = [next, now];
  }
  return now[tokens.length] === 1;
}

/** Marks `state` and whatever it leads to without reading anything. `again`: a star that has taken something already. */
function enter(tokens: readonly Token[], states: Uint8Array, start: number, again = false): void {
  for (let state = start, staying = again; ; staying = false) {
    states[state] = 1;
    const token = tokens[state];
    if (token?.kind !== 'star') return;
    if (token.optional && !staying) enter(tokens, states, state + 2);
    state += 1;
  }
}

function accepts(token: Token, byte: number, options: MatchOptions): boolean {
  switch (token.kind) {
    case 'byte':
      return token.byte === byte;
    case 'any':
      return !(options.pathname && byte === slash);
    case 'class':
      return !(options.pathname && byte === slash) && token.matches(byte);
    case 'star':
      return token.crosses || byte !== slash;
  }
}

interface Parsed {
  readonly matches: (byte: number) => boolean;
  /** Index after the closing bracket. */
  readonly end: number;
}

/** What stands between brackets; `start` is just after the opening one. */
function parseClass(pattern: string, start: number, ignoreCase: boolean): Parsed | undefined {
  let at = start;
  const negated = pattern[at] === '!' || pattern[at] === '^';
  if (negated) at += 1;
  const parts: ((byte: number) => boolean)[] = [];
  /** The byte a range would start from; 0 after a range or a named class. */
  let previous = 0;
  for (let first = true; first || pattern[at] !== ']'; first = false) {
    const part = parseClassPart(pattern, at, previous, ignoreCase);
    if (part === undefined) return undefined;
    parts.push(part.matches);
    previous = part.previous;
    at = part.end;
  }
  return { matches: (byte) => parts.some((part) => part(byte)) !== negated, end: at + 1 };
}

interface ClassPart extends Parsed {
  readonly previous: number;
}

function parseClassPart(pattern: string, at: number, previous: number, ignoreCase: boolean): ClassPart | undefined {
  const character = pattern[at];
  if (character === undefined) return undefined;
  if (character === '\\') return singleByte(pattern, at + 1);
  const after = pattern[at + 1];
  if (character === '-' && previous !== 0 && after !== undefined && after !== ']') {
    return range(pattern, at + 1, previous, ignoreCase);
  }
  if (character === '[' && after === ':') return namedClass(pattern, at, ignoreCase);
  return singleByte(pattern, at);
}

function singleByte(pattern: string, at: number): ClassPart | undefined {
  if (at >= pattern.length) return undefined;
  const wanted = pattern.charCodeAt(at);
  return { matches: (byte) => byte === wanted, end: at + 1, previous: wanted };
}

function range(pattern: string, at: number, from: number, ignoreCase: boolean): ClassPart | undefined {
  const last = pattern[at] === '\\' ? at + 1 : at;
  if (last >= pattern.length) return undefined;
  const to = pattern.charCodeAt(last);
  const within = (byte: number) => byte >= from && byte <= to;
  return {
    matches: (byte) => within(byte) || (ignoreCase && isLower(byte) && within(byte - 0x20)),
    end: last + 1,
    previous: 0,
  };
}

/** `[:alpha:]` and the like; without its `:]` the bracket is an ordinary member. */
function namedClass(pattern: string, at: number, ignoreCase: boolean): ClassPart | undefined {
  const close = pattern.indexOf(']', at + 2);
  if (close < 0) return undefined;
  if (close - 1 < at + 2 || pattern[close - 1] !== ':') return singleByte(pattern, at);
  const test = classes.get(pattern.slice(at + 2, close - 1));
  if (test === undefined) return undefined;
  const folded = ignoreCase && pattern.slice(at + 2, close - 1) === 'upper';
  return { matches: (byte) => test(byte) || (folded && isLower(byte)), end: close + 1, previous: 0 };
}

const isUpper = (byte: number) => byte >= 0x41 && byte <= 0x5a;
const isLower = (byte: number) => byte >= 0x61 && byte <= 0x7a;
const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
const isAlpha = (byte: number) => isUpper(byte) || isLower(byte);
const isPrint = (byte: number) => byte >= 0x20 && byte <= 0x7e;
const isSpace = (byte: number) => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
const lower = (byte: number) => (isUpper(byte) ? byte + 0x20 : byte);

const classes: ReadonlyMap<string, (byte: number) => boolean> = new Map([
  ['alnum', (byte: number) => isAlpha(byte) || isDigit(byte)],
  ['alpha', isAlpha],
  ['blank', (byte: number) => byte === 0x20 || byte === 0x09],
  ['cntrl', (byte: number) => byte < 0x20 || byte === 0x7f],
  ['digit', isDigit],
  ['graph', (byte: number) => isPrint(byte) && !isSpace(byte)],
  ['lower', isLower],
  ['print', isPrint],
  ['punct', (byte: number) => isPrint(byte) && byte !== 0x20 && !isAlpha(byte) && !isDigit(byte)],
  ['space', isSpace],
  ['upper', isUpper],
  ['xdigit', (byte: number) => isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)],
]);
