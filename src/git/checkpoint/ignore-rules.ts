/** The content of a .gitignore file (or info/exclude, or core.excludesFile), and what it says about a path. */
import { type PathPattern, parsePathPattern } from '../../domain/path-pattern.ts';

export interface IgnoreRules {
  /** `path` is relative to the rules' own directory. undefined: nothing in here matches. */
  verdict(path: string, name: string, directory: boolean): 'ignored' | 'wanted' | undefined;
}

/** `content` holds one character per byte. */
export function parseIgnoreRules(content: string, ignoreCase: boolean): IgnoreRules {
  const patterns = linesOf(content).map((line) => parsePathPattern(line, ignoreCase));
  return {
    verdict(path, name, directory) {
      const match = patterns.findLast((pattern) => matches(pattern, path, name, directory));
      if (match === undefined) return undefined;
      return match.negative ? 'wanted' : 'ignored';
    },
  };
}

function matches(pattern: PathPattern, path: string, name: string, directory: boolean): boolean {
  if (pattern.directoryOnly && !directory) return false;
  return pattern.matches(pattern.anywhere ? name : path);
}

function linesOf(content: string): readonly string[] {
  const lines: string[] = [];
  for (const raw of withoutByteOrderMark(content).split('\n')) {
    if (raw === '' || raw.startsWith('#')) continue;
    lines.push(withoutTrailingSpaces(upToNul(raw.endsWith('\r') ? raw.slice(0, -1) : raw)));
  }
  return lines;
}

/** UTF-8's, seen as bytes. */
export function withoutByteOrderMark(content: string): string {
  return content.startsWith('\xef\xbb\xbf') ? content.slice(3) : content;
}

/** Git reads its rule files as C strings. */
export function upToNul(line: string): string {
  const nul = line.indexOf('\0');
  return nul < 0 ? line : line.slice(0, nul);
}

/** Spaces at the end do not count unless a backslash quotes them. */
function withoutTrailingSpaces(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === ' ') end -= 1;
  if (end === line.length) return line;
  let backslashes = 0;
  while (line[end - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1 ? line.slice(0, end + 1) : line.slice(0, end);
}
