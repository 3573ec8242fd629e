/** How things are said in answers: the JSON shapes shared by several operations. */

import { textOf } from '../domain/byte-path.ts';
import type { Change, Held } from '../domain/change.ts';
import { oneLine } from '../domain/checkpoint.ts';
import { shortOid } from '../domain/oid.ts';
import { shortName } from '../domain/ref-name.ts';
import type { RunsElsewhere } from '../domain/runs-elsewhere.ts';
import { visible } from '../domain/terminal-text.ts';
import { accessOf } from '../environment/access/access.ts';
import { questionOf, subjectOf } from '../environment/access/approval.ts';
import type { Environment } from '../environment/environment.ts';
import { isMaterialized } from '../environment/materialize.ts';
import type { ResolvedInside } from '../environment/merge/inside.ts';
import type { Verdict } from '../environment/merged/merged.ts';
import { otherName } from '../environment/resolution/conflict.ts';
import type { Workplace } from '../environment/workplace.ts';
import type { CommitInfo, FileDiff } from '../git/repository.ts';
import type { Container } from '../runtime/runtime.ts';
import type { Style } from './operation.ts';

export type EnvironmentState =
  | 'creating'
  | 'setup_failed'
  | 'running'
  | 'stopped'
  | 'failed'
  | 'oom_killed'
  | 'missing'
  | 'unknown';

/** `container` is 'unknown' when the engine could not be asked. */
export function stateOf(environment: Environment, container: Container | undefined | 'unknown'): EnvironmentState {
  if (environment.record.stage === 'creating') return 'creating';
  if (!isMaterialized(environment)) return 'missing';
  if (container === 'unknown') return 'unknown';
  if (container === undefined) return 'missing';
  if (container.oomKilled) return 'oom_killed';
  if (container.state === 'running') return environment.record.stage === 'setup-failed' ? 'setup_failed' : 'running';
  return container.state === 'failed' ? 'failed' : 'stopped';
}

export function environmentView(environment: Environment) {
  const { record, refs, at, directories, target } = environment;
  return {
    name: environment.name as string,
    title: record.title,
    branch: shortName(refs.branch),
    target: target === undefined ? null : shortName(target),
    base: at.base as string,
    head: at.head as string,
    tip: at.tip as string,
    worktree: directories.tree,
    runtime: record.spec.runtime as string,
    image: record.spec.image,
    createdAt: record.createdAt,
    /** What it was made to resolve. */
    resolves:
      record.conflict === undefined
        ? null
        : { environment: record.conflict.environment, with: otherName(record.conflict) },
  };
}

/** How it is known that work is in a branch, in a few words. */
export function sayMerged(view: MergedView, target: string): string {
  const { merged, reverted, revertedFiles } = view;
  if (reverted) return 'reverted there';
  if (merged !== 'merged') return merged ?? 'not known whether merged';
  const since = revertedFiles === null ? '' : `, ${revertedFiles.count} of ${revertedFiles.of} files reverted since`;
  return sayHowMerged(view, target) + since;
}

function sayHowMerged({ mergedBy, mergedAt, pullRequest }: MergedView, target: string): string {
  if (pullRequest !== null) {
    const { reference, behind, url } = pullRequest;
    return `merged as ${safe(reference)}${behind ? `, not pulled into ${target} yet` : ''}: ${safe(url)}`;
  }
  const ways: Readonly<Record<string, string>> = {
    ancestry: 'merged',
    'same-tree': `merged: ${target} has the same files`,
    content: `merged: ${target} has all of it`,
    'moved-on': `merged: ${target} had all of it at ${short(mergedAt ?? '')} and has moved on`,
    commits: `merged: ${target} has each of its commits`,
  };
  return ways[mergedBy ?? ''] ?? 'merged';
}

export interface MergedView {
  readonly merged: string | null;
  readonly mergedBy: string | null;
  readonly mergedAt: string | null;
  readonly reverted: boolean;
  /** Merged, and some files taken back since. */
  readonly revertedFiles: { readonly count: number; readonly of: number } | null;
  /** What it was merged with, where only the forge knows. `behind`: the target here does not have the merge yet. */
  readonly pullRequest: { readonly reference: string; readonly url: string; readonly behind: boolean } | null;
}

/** `merged` is null where nobody has found out. */
export function mergedView(verdict: Verdict | undefined): MergedView {
  const found = verdict?.state === 'merged' ? verdict : undefined;
  return {
    merged: verdict?.state ?? null,
    mergedBy: found?.by ?? null,
    mergedAt: found?.commit ?? null,
    reverted: verdict?.state === 'unmerged' && verdict.reverted,
    revertedFiles: found?.revertedFiles ?? null,
    pullRequest: found?.by === 'forge' ? found.pull : null,
  };
}

export function heldView(held: readonly Held[]) {
  return held.map(({ path, reason, detail }) => ({ path: textOf(path), reason: reason as string, detail }));
}
export type HeldView = ReturnType<typeof heldView>;

export function changeView(changes: readonly Change[]) {
  return changes.map(({ path, kind, lines }) => ({ path: textOf(path), kind: kind as string, lines: lines ?? null }));
}

export function fileView(files: readonly FileDiff[]) {
  return files.map(({ path, from, kind, added, removed }) => ({
    path: textOf(path),
    from: from === undefined ? null : textOf(from),
    kind: kind as string,
    added,
    removed,
  }));
}
export type FileView = ReturnType<typeof fileView>;

/** Changes that run on the host or in CI after a merge. */
export function runsView(runs: readonly RunsElsewhere[]) {
  return runs.map(({ path, by, when }) => ({ path: textOf(path), by, when }));
}
export type RunsView = ReturnType<typeof runsView>;

/** `npm install … made package-lock.json`, or which of the others resolved it. */
export function sayResolved({ path, by, command }: ResolvedInside, style: Style): string {
  return style.dim(`${command === null ? `${by} resolved` : `${safe(command)} made`} ${safe(path)}`);
}

export function renderRuns(runs: RunsView, style: Style): string {
  if (runs.length === 0) return '';
  const shown = runs
    .slice(0, 20)
    .map(({ path, by, when }) => [`  ${style.red('!')} ${safe(path)}`, `${by}, ${safe(when)}`]);
  const more = runs.length > 20 ? [`  … and ${runs.length - 20} more (--json lists all)`] : [];
  return ['runs on the host or in CI after a merge:', columns(shown), ...more].join('\n');
}

export function commitView({ oid, parents, author, message }: CommitInfo) {
  const [subject = '', ...rest] = message.split('\n');
  return {
    oid: oid as string,
    parents: parents as readonly string[],
    author: { name: author.name, email: author.email },
    date: new Date(author.seconds * 1000).toISOString(),
    subject,
    body: rest.join('\n').trim(),
  };
}
export type CommitView = ReturnType<typeof commitView>;

/** A trailer's value in a commit message body. */
export function trailerOf(body: string, key: string): string | undefined {
  const line = body.split('\n').findLast((each) => each.startsWith(`${key}: `));
  return line?.slice(key.length + 2);
}

/** What it has of this machine. */
export async function accessView(workplace: Workplace, environment: Environment) {
  const access = await accessOf(workplace, environment);
  const { approved } = await questionOf(workplace, subjectOf(environment), access);
  return {
    mounts: access.mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
    secrets: access.secrets.map(({ name, from, as }) => ({ name, from, as: as as string })),
    root: access.root,
    lines: access.lines,
    approved,
  };
}
export type AccessView = Awaited<ReturnType<typeof accessView>>;

/** A line each; nothing for an environment that has nothing. */
export function renderAccess({ lines, approved }: AccessView, name: string, style: Style): string {
  const shown = lines.map((line) => `  ${line}`);
  const missing = style.yellow(`  not approved: \`coppice approve ${name}\``);
  return [...shown, ...(approved ? [] : [missing])].join('\n');
}

/** Text that an agent may have chosen, made harmless for a terminal. */
export function safe(text: string, most = 200): string {
  return visible(oneLine(text, most));
}

export function renderHeld(held: HeldView, style: Style): string {
  if (held.length === 0) return '';
  const shown = held
    .slice(0, 10)
    .map(({ path, detail }) => `  ${style.yellow('held')} ${safe(path)}  ${style.dim(safe(detail))}`);
  const more = held.length > 10 ? [`  … and ${held.length - 10} more (--json lists all)`] : [];
  return [...shown, ...more].join('\n');
}

/** `5 s`, `12 min`, `3 h`, `4 d`. */
export function age(from: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - from.getTime()) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Columns padded to their widest cell; the last is left as it is. Widths count what is visible, not colour codes. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
  return rows
    .map((row) =>
      row
        .map((cell, index) =>
          index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - widthOf(cell)),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function widthOf(text: string): number {
  return [...text.replace(/\x1b\[[0-9;]*m/g, '')].length;
}

export function short(oid: string): string {
  return shortOid(oid as Parameters<typeof shortOid>[0]);
}

const asIs = (text: string) => text;

/** No colour at all. */
export const plainStyle: Style = {
  bold: asIs,
  dim: asIs,
  red: asIs,
  green: asIs,
  yellow: asIs,
  cyan: asIs,
  colour: false,
  get now() {
    return new Date();
  },
};
