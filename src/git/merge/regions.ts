/** Where in the two files a content conflict is, read off the merged file with its markers. Pure. */
import { diffArrays } from 'diff';
import type { ConflictRegion, LineSpan } from '../merging.ts';

/** What git writes behind the markers: the two sides as they were named to it. */
export interface Labels {
  readonly ours: string;
  readonly theirs: string;
}

interface Texts {
  readonly marked: string;
  readonly ours: string;
  readonly theirs: string;
}

/** Lines added and removed up to which the files are compared exactly; the cost grows with their square. */
const mostEdits = 1_000;

/** None where there are no markers, as in a file that could not be merged at all. */
export function regionsOf({ marked, ours, theirs }: Texts, labels: Labels): readonly ConflictRegion[] {
  const views = viewsOf(linesOf(marked), labels);
  const left = locate(views.ours, linesOf(ours));
  const right = locate(views.theirs, linesOf(theirs));
  return left.flatMap((span, index) => {
    const other = right[index];
    return other === undefined ? [] : [{ ours: span, theirs: other }];
  });
}

/** The merged file with every conflict decided for one side, and where its part of each stands in it, counted from 0. */
interface View {
  readonly lines: string[];
  readonly parts: { readonly start: number; readonly end: number }[];
}

/**
 * The markers of a conflict are those that bear the labels. In between, lines are told apart by the marker's length: the
 * base of a base can have conflicts of its own, with longer ones.
 */
function viewsOf(marked: readonly string[], labels: Labels): { readonly ours: View; readonly theirs: View } {
  const ours: View = { lines: [], parts: [] };
  const theirs: View = { lines: [], parts: [] };
  const begun = { size: 0, ours: 0, theirs: 0 };
  let state: State = 'outside';
  for (const line of marked) {
    const next = stateAfter(line, state, begun.size, labels);
    if (next === state) {
      if (state === 'ours' || state === 'outside') ours.lines.push(line);
      if (state === 'theirs' || state === 'outside') theirs.lines.push(line);
    } else if (next === 'ours') {
      Object.assign(begun, { size: markerSize(line), ours: ours.lines.length, theirs: theirs.lines.length });
    } else if (next === 'outside') {
      ours.parts.push({ start: begun.ours, end: ours.lines.length });
      theirs.parts.push({ start: begun.theirs, end: theirs.lines.length });
    }
    state = next;
  }
  return { ours, theirs };
}

type State = 'outside' | 'ours' | 'base' | 'theirs';

/** Another one only if the line is a marker that ends `state`. */
function stateAfter(line: string, state: State, size: number, labels: Labels): State {
  const sign = line.charAt(0);
  if (state === 'outside') {
    return markerSize(line) > 0 && line.slice(markerSize(line) + 1).startsWith(labels.ours) ? 'ours' : 'outside';
  }
  const isMarker = line.startsWith(sign.repeat(size)) && line.charAt(size) !== sign;
  if (!isMarker) return state;
  if (sign === '|' && state === 'ours') return 'base';
  if (sign === '=' && state !== 'theirs') return 'theirs';
  return sign === '>' && state === 'theirs' && line.slice(size + 1).startsWith(labels.theirs) ? 'outside' : state;
}

/** Of the marker that begins a conflict; 0 for any other line. */
function markerSize(line: string): number {
  return /^<{7,}/.exec(line)?.[0].length ?? 0;
}

/** Outside the conflicts a view also has what the other side changed there: line numbers are found by comparing. */
function locate({ lines, parts }: View, file: readonly string[]): readonly LineSpan[] {
  const at = positionsIn(file, lines);
  let least = 0;
  return parts.map(({ start, end }) => {
    const found = at.slice(start, end).find((position) => position !== undefined);
    const before = at.slice(0, start).findLast((position) => position !== undefined);
    const from = Math.max(least, found ?? (before === undefined ? 0 : before + 1));
    least = from + (end - start);
    return { from: from + 1, lines: end - start };
  });
}

/** Where each line of `view` is in `file`. */
function positionsIn(file: readonly string[], view: readonly string[]): readonly (number | undefined)[] {
  const positions: (number | undefined)[] = [];
  let at = 0;
  const hunks = diffArrays([...file], [...view], { maxEditLength: mostEdits });
  if (hunks === undefined) return view.map((line) => nextOf(line));
  for (const { added, removed, count } of hunks) {
    for (let index = 0; index < count; index++) {
      if (added) positions.push(undefined);
      else if (removed) at += 1;
      else positions.push(at++);
    }
  }
  return positions;

  /** Too different to compare: the next line that is alike. */
  function nextOf(line: string): number | undefined {
    const found = file.indexOf(line, at);
    if (found < 0) return undefined;
    at = found + 1;
    return found;
  }
}

function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}
