/** The message of a commit that nobody gave one: what changed, and what the checkpoints say caused it. Pure. */
import { textOf } from './byte-path.ts';
import type { Change } from './change.ts';
import { type Cause, oneLine, subjectOf } from './checkpoint.ts';

/** Files, and causes, that are named one by one. */
const most = 20;
const longestCause = 100;
const longestNames = 60;

/** `causes` in the order in which they came, with repetitions. */
export function composedMessage(changes: readonly Change[], causes: readonly Cause[]): string {
  const files = changes.length > 1 ? changes.map((change) => `* ${subjectOf([change])}`) : [];
  const distinct = [...new Set(causes.map((cause) => oneLine(cause, longestCause)))].map((cause) => `* ${cause}`);
  const parts = [subject(changes), atMost(files), distinct.length === 0 ? '' : `Caused by:\n${atMost(distinct)}`];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** A few files by name. */
function subject(changes: readonly Change[]): string {
  const names = changes.map(({ path }) => oneLine(textOf(path), longestNames)).join(', ');
  return changes.length > 1 && names.length <= longestNames ? names : subjectOf(changes);
}

function atMost(lines: readonly string[]): string {
  const more = lines.length > most ? [`* … and ${lines.length - most} more`] : [];
  return [...lines.slice(0, most), ...more].join('\n');
}
