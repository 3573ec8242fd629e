/** Hunks of a file's change, chosen one by one. Text is held with one character per byte, so that any encoding survives. Pure. */
import { applyPatch, parsePatch, type StructuredPatchHunk, structuredPatch } from 'diff';
import { type BytePath, bytePathFromText } from '../domain/byte-path.ts';

/** Lines of the old text from `oldStart` (1-based), each led by ' ', '-' or '+'. */
export type Hunk = StructuredPatchHunk;

/** As `git diff` cuts them, with three lines of context. */
export function hunksOf(before: string, after: string): readonly Hunk[] {
  return structuredPatch('before', 'after', before, after, undefined, undefined, { context: 3 }).hunks;
}

/** The old text with these hunks of its change; undefined where one of them does not fit. */
export function applyHunks(before: string, hunks: readonly Hunk[]): string | undefined {
  if (hunks.length === 0) return before;
  const patch = { oldFileName: 'a', newFileName: 'b', oldHeader: '', newHeader: '', hunks: [...hunks] };
  const applied = applyPatch(before, patch, { fuzzFactor: 0, autoConvertLineEndings: false });
  return applied === false ? undefined : applied;
}

/** A hunk cut at its unchanged lines, as `git add -p` does for `s`; itself where there is nothing to cut. */
export function splitHunk(hunk: Hunk): readonly Hunk[] {
  const parts: Hunk[] = [];
  let lines: string[] = [];
  let oldLine = hunk.oldStart;
  let newLine = hunk.newStart;
  let start = { oldStart: oldLine, newStart: newLine };
  const close = () => {
    if (lines.some(isChange)) parts.push({ ...start, ...sizeOf(lines), lines });
    lines = [];
    start = { oldStart: oldLine, newStart: newLine };
  };
  for (const line of hunk.lines) {
    // A change after context that followed a change begins the next part.
    if (isChange(line) && lines.some(isChange) && lines.at(-1)?.startsWith(' ')) close();
    lines.push(line);
    if (line.startsWith(' ') || line.startsWith('-')) oldLine += 1;
    if (line.startsWith(' ') || line.startsWith('+')) newLine += 1;
  }
  close();
  return parts.length > 1 ? parts : [hunk];
}

function isChange(line: string): boolean {
  return line.startsWith('+') || line.startsWith('-');
}

function sizeOf(lines: readonly string[]) {
  const of = (...signs: readonly string[]) => lines.filter((line) => signs.includes(line[0] ?? '')).length;
  return { oldLines: of(' ', '-'), newLines: of(' ', '+') };
}

export interface PatchedFile {
  /** Both are what the path may be in bytes: names in a patch are quoted in more than one way. */
  readonly from: readonly BytePath[];
  readonly to: readonly BytePath[];
  readonly renamed: boolean;
  /** Empty for a change without lines: a binary file, a mode, a plain rename. */
  readonly hunks: readonly Hunk[];
}

/** A patch as `git diff` and `coppice diff` print it, one character per byte. Throws SyntaxError for what is none. */
export function parsePatchFile(text: string): readonly PatchedFile[] {
  let parsed: ReturnType<typeof parsePatch>;
  try {
    parsed = parsePatch(text);
  } catch (error) {
    throw new SyntaxError(error instanceof Error ? error.message : String(error));
  }
  return parsed
    .filter((file) => file.oldFileName !== undefined || file.newFileName !== undefined)
    .map((file) => ({
      from: pathsOf(file.oldFileName),
      to: pathsOf(file.newFileName),
      renamed: file.isRename === true,
      hunks: file.hunks,
    }));
}

function pathsOf(name: string | undefined): readonly BytePath[] {
  if (name === undefined || name === '/dev/null') return [];
  const path = name.replace(/^[ab]\//, '').replace(/\t$/, '');
  const asText = bytePathFromText(path);
  return asText === path ? [asText] : [asText, path as BytePath];
}
