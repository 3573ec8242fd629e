/** Checkpoint commits: how they say what changed and why. Pure. */
import { textOf } from './byte-path.ts';
import type { Change } from './change.ts';
import type { EnvironmentName } from './environment-name.ts';
import { type Oid, shortOid } from './oid.ts';

/** Why a checkpoint was made: `edit`, `exec npm test`, `exec npm test (exit 1)`, `reconcile`, `rewind to 1a2b3c`, … */
export type Cause = string;

export const trailers = {
  environment: 'Coppice-Environment',
  cause: 'Coppice-Cause',
  exec: 'Coppice-Exec',
  operation: 'Coppice-Operation-In-Progress',
} as const;

export interface CheckpointMessage {
  readonly environment: EnvironmentName;
  readonly cause: Cause;
  readonly changes: readonly Change[];
  /** Ids of the execs that were running, so that a change leads to the command that made it. */
  readonly execs: readonly string[];
  /** `merge`, `rebase`, … while one is under way inside. */
  readonly operation: string | undefined;
}

export function checkpointMessage(message: CheckpointMessage): string {
  const lines = [
    `${trailers.environment}: ${message.environment}`,
    `${trailers.cause}: ${oneLine(message.cause, 200)}`,
  ];
  for (const exec of message.execs) lines.push(`${trailers.exec}: ${exec}`);
  if (message.operation !== undefined) lines.push(`${trailers.operation}: ${message.operation}`);
  return `${subjectOf(message.changes)}\n\n${lines.join('\n')}\n`;
}

/** A checkpoint says why it was made; nothing else that coppice writes does. */
export function isCheckpoint(message: string): boolean {
  return trailerValues(message, trailers.cause).length > 0 && trailerValues(message, trailers.environment).length > 0;
}

const rewindCause = 'rewind to ';

export function rewindTo(commit: Oid): Cause {
  return rewindCause + shortOid(commit);
}

/** The abbreviated object name of the state that a checkpoint brought back; undefined for any other checkpoint. */
export function rewoundTo(message: string): string | undefined {
  const [cause] = trailerValues(message, trailers.cause);
  const name = cause?.startsWith(rewindCause) ? cause.slice(rewindCause.length) : '';
  return /^[0-9a-f]{7,64}$/.test(name) ? name : undefined;
}

/** Every value of a trailer in a commit message, in order. */
export function trailerValues(message: string, key: string): readonly string[] {
  const start = `${key}: `;
  return message
    .split('\n')
    .slice(1)
    .filter((line) => line.startsWith(start))
    .map((line) => line.slice(start.length));
}

/** `src/auth.ts: +12 −3`, `delete src/old.ts`, `12 files in src/`. */
export function subjectOf(changes: readonly Change[]): string {
  const [first] = changes;
  if (first === undefined) return 'no change';
  if (changes.length > 1) {
    const directory = commonDirectory(changes);
    return `${changes.length} files${directory === '' ? '' : ` in ${directory}`}`;
  }
  const path = oneLine(textOf(first.path), 60);
  if (first.kind === 'deleted') return `delete ${path}`;
  if (first.before !== undefined && first.before.oid === first.after?.oid)
    return `${path}: mode ${first.after?.mode ?? ''}`;
  const counts = first.lines === undefined ? '' : `: +${first.lines.added} −${first.lines.removed}`;
  return first.kind === 'added' ? `add ${path}${counts}` : `${path}${counts || ': changed'}`;
}

function commonDirectory(changes: readonly Change[]): string {
  let common: readonly string[] | undefined;
  for (const change of changes) {
    const directories = textOf(change.path).split('/').slice(0, -1);
    if (common === undefined) common = directories;
    else {
      const known: readonly string[] = common;
      const end = known.findIndex((part, index) => directories[index] !== part);
      if (end >= 0) common = known.slice(0, end);
    }
  }
  return common === undefined || common.length === 0 ? '' : oneLine(`${common.join('/')}/`, 60);
}

/** Control characters out, white space folded, cut to `most` characters: safe in a subject, a trailer, a terminal. */
export function oneLine(text: string, most: number): string {
  const flat = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ').trim();
  return flat.length <= most ? flat : `${flat.slice(0, most - 1)}…`;
}
