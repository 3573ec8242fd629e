/** The tree a conflicting merge leaves: both sides called by their names, and what is remembered resolved as before. */
import { type BytePath, bytePathFromText, textOf } from '../../domain/byte-path.ts';
import type { FileMode } from '../../domain/change.ts';
import type { Oid } from '../../domain/oid.ts';
import type { Conflict, MergeOutcome } from '../../git/merging.ts';
import type { Workplace } from '../workplace.ts';
import { type Recalled, recall } from './memory.ts';

type Conflicted = Extract<MergeOutcome, { kind: 'conflict' }>;

/** What both sides are called in conflict markers. */
export interface Labels {
  readonly ours: string;
  readonly theirs: string;
}

export interface ConflictedTree {
  readonly tree: Oid;
  readonly recalled: readonly Recalled[];
}

/** `outcome` is written in the style zdiff3. */
export async function conflictedTree(
  workplace: Workplace,
  outcome: Conflicted,
  labels: Labels,
): Promise<ConflictedTree> {
  const recalled = await recall(workplace, outcome);
  const done = new Set(recalled.map(({ path }) => path));
  const left = outcome.conflicts.filter(({ path }) => !done.has(path) && bytePathFromText(textOf(path)) === path);
  const contents = [...recalled, ...(await relabelled(workplace, outcome.tree, left, labels))];
  return { tree: await withContents(workplace, outcome.tree, contents), recalled };
}

/** A tree with these files instead. */
export async function withContents(
  { repository }: Workplace,
  tree: Oid | null,
  files: readonly { readonly path: BytePath; readonly mode: FileMode; readonly content: Buffer }[],
): Promise<Oid> {
  const edits = [];
  for (const { path, mode, content } of files) {
    edits.push({ path: textOf(path), entry: { mode, oid: await repository.writeBlob(content) } });
  }
  return repository.writeTree(tree, edits);
}

const marker = /^(<{7,}|>{7,}) (?:[0-9a-f]{40}|[0-9a-f]{64})(?=[:\r\n])/gm;

/** git calls the sides what it was given: object names, which nobody else has in a line of markers. */
async function relabelled({ repository }: Workplace, tree: Oid, conflicts: readonly Conflict[], labels: Labels) {
  const contents = await repository.readBlobsAt(conflicts.map(({ path }) => ({ treeish: tree, path: textOf(path) })));
  return conflicts.flatMap(({ path, ours, theirs }, index) => {
    const before = contents[index]?.toString('latin1');
    const mode = ours?.mode ?? theirs?.mode;
    if (before === undefined || (mode !== '100644' && mode !== '100755')) return [];
    const text = before.replaceAll(marker, (_, marks: string) => {
      const label = marks.startsWith('<') ? labels.ours : labels.theirs;
      return `${marks} ${Buffer.from(label).toString('latin1')}`;
    });
    return text === before ? [] : [{ path, mode, content: Buffer.from(text, 'latin1') }];
  });
}
