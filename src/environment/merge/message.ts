/** Messages of merges, composed from the environment's title and its commits. Pure. */
import type { CommitInfo } from '../../git/repository.ts';
import type { Environment } from '../environment.ts';

export interface MergeMessageFacts {
  readonly given: string | undefined;
  /** One plain commit instead of a merge. */
  readonly linear: boolean;
  /** Not all of the environment's work. */
  readonly part: boolean;
  /** What it brings, newest first. */
  readonly commits: readonly Pick<CommitInfo, 'message'>[];
}

export function mergeMessage(
  { name, record }: Environment,
  { given, linear, part, commits }: MergeMessageFacts,
): string {
  if (given !== undefined) return `${given.trim()}\n`;
  const subjects = commits.map(({ message }) => `* ${message.split('\n')[0] ?? ''}`).reverse();
  const [only] = subjects;
  const list = subjects.length === 0 ? '' : `\n\n${subjects.join('\n')}`;
  if (!linear) {
    const title = record.title === null ? '' : `: ${record.title}`;
    return `Merge ${part ? 'part of ' : ''}environment ${name}${title}${list}\n`;
  }
  if (subjects.length === 1 && only !== undefined) return `${(part ? undefined : record.title) ?? only.slice(2)}\n`;
  return `${part ? 'Part of ' : ''}${record.title ?? (part ? name : `Work of ${name}`)}${list}\n`;
}

/** Of the commit that holds chosen paths or hunks. */
export function partMessage({ name, record }: Environment, given: string | undefined): string {
  return `${given?.trim() ?? `Part of ${record.title ?? name}`}\n`;
}
