/** One pattern of a .gitignore or .gitattributes file: what it is anchored to, and whether it matches a path. */
import { compilePattern, type Matcher } from './wildmatch.ts';

export interface PathPattern {
  readonly negative: boolean;
  readonly directoryOnly: boolean;
  /** Without a slash: compared with the last component at any depth. */
  readonly anywhere: boolean;
  /** `text` is the last component, or the path from the directory of the file that has the pattern. */
  readonly matches: Matcher;
}

/** Longer than any path the kernel takes (PATH_MAX): such a pattern is only there to cost time. */
const longestPattern = 4096;

/** `text` is the pattern alone: no comment, no trailing white space. */
export function parsePathPattern(text: string, ignoreCase: boolean): PathPattern {
  const negative = text.startsWith('!');
  let body = negative ? text.slice(1) : text;
  const directoryOnly = body.endsWith('/');
  if (directoryOnly) body = body.slice(0, -1);
  const anywhere = !body.includes('/');
  const matches =
    body.length > longestPattern
      ? () => false
      : anywhere
        ? nameMatcher(body, ignoreCase)
        : pathMatcher(body.startsWith('/') ? body.slice(1) : body, ignoreCase);
  return { negative, directoryOnly, anywhere, matches };
}

function nameMatcher(pattern: string, ignoreCase: boolean): Matcher {
  const fold = folding(ignoreCase);
  if (literalLength(pattern) === pattern.length) {
    const wanted = fold(pattern);
    return (name) => fold(name) === wanted && wanted !== '';
  }
  const ending = pattern.slice(1);
  if (pattern.startsWith('*') && literalLength(ending) === ending.length) {
    const wanted = fold(ending);
    return (name) => fold(name).endsWith(wanted);
  }
  return compilePattern(pattern, { pathname: false, ignoreCase });
}

/**
 * The literal beginning is compared by itself and taken off before the rest is compiled, as git does: it shows in
 * patterns like `a` followed by star-star-slash, where the stars then stand at the beginning.
 */
function pathMatcher(pattern: string, ignoreCase: boolean): Matcher {
  const fold = folding(ignoreCase);
  const length = literalLength(pattern);
  const beginning = fold(pattern.slice(0, length));
  if (length === pattern.length) return (path) => fold(path) === beginning;
  const rest = compilePattern(pattern.slice(length), { pathname: true, ignoreCase });
  return (path) => fold(path.slice(0, length)) === beginning && rest(path.slice(length));
}

function literalLength(pattern: string): number {
  const special = pattern.search(/[*?[\\]/);
  return special < 0 ? pattern.length : special;
}

/** ASCII only: git folds bytes. */
function folding(ignoreCase: boolean): (text: string) => string {
  return ignoreCase ? (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : (text) => text;
}
