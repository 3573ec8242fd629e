/** How conflicts between environments are said, in JSON and to people. */
import { shortName } from '../domain/ref-name.ts';
import type { Cell, Side } from '../environment/conflicts/matrix.ts';
import type { Order } from '../environment/conflicts/order.ts';
import type { ConflictFile } from '../environment/conflicts/pair.ts';
import type { Since } from '../environment/conflicts/since.ts';
import type { LineSpan } from '../git/merging.ts';
import type { CommitInfo } from '../git/repository.ts';
import type { Style } from './operation.ts';
import { count } from './show.ts';
import { age, columns, safe, short } from './views.ts';

export function nameOf(side: Side): string {
  return side.kind === 'environment' ? side.environment.name : shortName(side.branch);
}

/** Conflicts, and of these only those that one of the names is in; without names all. */
export function isListed({ ours, theirs, verdict }: Cell, about: ReadonlySet<string>): boolean {
  if (verdict.kind === 'clean') return false;
  const named = (side: Side) => side.kind === 'environment' && about.has(side.environment.name);
  return about.size === 0 || named(ours) || named(theirs);
}

export function conflictView({ ours, theirs, verdict }: Cell, since: Since | undefined) {
  return {
    ours: sideView(ours, since?.ours),
    theirs: sideView(theirs, since?.theirs),
    /** Why they cannot be merged at all, where that is so. */
    reason: verdict.kind === 'impossible' ? verdict.reason : null,
    files: verdict.kind === 'conflict' ? verdict.files : [],
  };
}
export type ConflictView = ReturnType<typeof conflictView>;

function sideView(side: Side, since: CommitInfo | undefined) {
  return {
    kind: side.kind as string,
    name: nameOf(side),
    commit: side.commit as string,
    /** The first of its checkpoints and commits that conflicts with the other side as it is now; null where it was not looked for. */
    since: since === undefined ? null : sinceView(since),
  };
}

function sinceView({ oid, message, committer }: CommitInfo) {
  return {
    oid: oid as string,
    subject: message.split('\n')[0] ?? '',
    date: new Date(committer.seconds * 1000).toISOString(),
  };
}

export function orderView({ target, clean, blocked, largest }: Order) {
  return {
    target: shortName(target),
    clean: clean.map(({ name }) => name as string),
    blocked: blocked.map(({ environment, byTarget, by }) => ({
      name: environment.name as string,
      by: [...(byTarget ? [shortName(target)] : []), ...by.map(({ name }) => name as string)],
    })),
    largest,
  };
}
export type OrderView = ReturnType<typeof orderView>;

interface Shown {
  readonly environments: readonly { readonly name: string; readonly target: string | null }[];
  readonly conflicts: readonly ConflictView[];
  readonly about: readonly string[];
}

/** A row for each environment that has conflicts. */
export function renderTable({ environments, conflicts, about }: Shown, style: Style): string {
  if (conflicts.length === 0) return '';
  const rows = environments.flatMap(({ name }) => {
    const own = conflicts.filter(({ ours, theirs }) => ours.name === name || theirs.name === name);
    if (own.length === 0 || (about.length > 0 && !about.includes(name))) return [];
    const others = own.map(({ ours, theirs, files }) => {
      const other = theirs.name === name ? ours : theirs;
      return `${other.kind === 'target' ? style.red(other.name) : other.name} (${files.length})`;
    });
    return [[style.bold(name), others.join(', ')]];
  });
  return columns([['NAME', 'CONFLICTS WITH (files)'].map((title) => style.dim(title)), ...rows]);
}

/** Conflicts shown one by one, and files of each, where nobody asked for certain environments. */
const most = 10;

export function renderConflicts({ conflicts, about }: Shown, style: Style): string {
  const all = about.length > 0;
  const blocks = conflicts.slice(0, all ? undefined : most).map((conflict) => renderConflict(conflict, all, style));
  const rest = conflicts.length - blocks.length;
  if (rest > 0) blocks.push(style.dim(`and ${rest} more: name an environment to see its own, or use --json`));
  return blocks.map((block) => `\n${block}`).join('\n');
}

function renderConflict({ ours, theirs, files, reason }: ConflictView, all: boolean, style: Style): string {
  const title = style.bold(`${theirs.name} into ${ours.name}`);
  if (reason !== null) return `${title}  ${style.red(safe(reason))}`;
  const rows = files
    .slice(0, all ? undefined : most)
    .map((file) => ['', style.red(file.kind), safe(file.path), linesIn(file)]);
  const more = files.length - rows.length;
  const since = [theirs, ours].flatMap(({ name, since: first }) =>
    first === null
      ? []
      : `  ${style.dim(`${name} since ${short(first.oid)}`)} ${safe(first.subject, 60)}  ${style.dim(`${age(new Date(first.date), style.now)} ago`)}`,
  );
  const left = more > 0 ? [style.dim(`  and ${count(more, 'more file')}`)] : [];
  return [title, columns(rows), ...left, ...since].join('\n');
}

/** `lines 10-12 | 14` : there, and here. */
function linesIn({ regions }: ConflictFile): string {
  const shown = regions.slice(0, 5).map(({ ours, theirs }) => `${spanText(theirs)} into ${spanText(ours)}`);
  const more = regions.length > shown.length ? [`and ${regions.length - shown.length} more`] : [];
  return shown.length === 0 ? '' : `lines ${[...shown, ...more].join(', ')}`;
}

function spanText({ from, lines }: LineSpan): string {
  if (lines === 0) return `before ${from}`;
  return lines === 1 ? `${from}` : `${from}-${from + lines - 1}`;
}

export function renderOrders(orders: readonly OrderView[] | null, style: Style): string {
  return (orders ?? []).map((order) => `\n${renderOrder(order, style)}`).join('\n');
}

function renderOrder({ target, clean, blocked, largest }: OrderView, style: Style): string {
  const title =
    clean.length === 0
      ? style.red(`None merges cleanly into ${target}.`)
      : `${style.green(`${clean.length} merge cleanly into ${target}`)} together, tried in this order:`;
  const set = clean.map((name, index) => `  ${index + 1}. ${name}`);
  const claim =
    clean.length === 0 || largest
      ? []
      : [style.dim('  There may be a larger set; this one was not compared with all others.')];
  const rest = blocked.map(
    ({ name, by }) =>
      `  ${style.red('blocked')} ${name}  ${by.length === 0 ? 'by what the others come to together' : `by ${by.join(', ')}`}`,
  );
  return [title, ...set, ...claim, ...rest].join('\n');
}
