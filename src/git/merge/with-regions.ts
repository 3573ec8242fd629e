/** Adds to the conflicts of many merges where in the files they are, while the merged files are still in the quarantine. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import type { Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { Conflict, MergePair, PairOutcome } from '../merging.ts';
import { readObjects } from '../native/cat-file.ts';
import type { Quarantine } from './quarantine.ts';
import { regionsOf } from './regions.ts';

/** Larger files are not looked into. */
export const largest = 2 * 2 ** 20;

export async function withRegions(
  git: HostGit,
  quarantine: Quarantine,
  pairs: readonly Pick<MergePair, 'ours' | 'theirs'>[],
  outcomes: readonly PairOutcome[],
): Promise<readonly PairOutcome[]> {
  const names = new Set(
    outcomes.flatMap((outcome) =>
      outcome.kind === 'conflict' ? outcome.conflicts.flatMap((conflict) => namesOf(outcome.tree, conflict)) : [],
    ),
  );
  const objects = await readObjects(git, [...names], quarantine.env);
  const texts = new Map([...names].map((name, index) => [name, objects[index]?.content]));
  return outcomes.map((outcome, index) => {
    const pair = pairs[index];
    if (outcome.kind !== 'conflict' || pair === undefined) return outcome;
    const conflicts = outcome.conflicts.map((conflict): Conflict => {
      const contents = namesOf(outcome.tree, conflict).map((name) => texts.get(name));
      const [marked, ours, theirs] = contents.map((content) =>
        content === undefined || content.length > largest ? undefined : content.toString('latin1'),
      );
      if (marked === undefined || ours === undefined || theirs === undefined) return conflict;
      const regions = regionsOf({ marked, ours, theirs }, pair);
      return regions.length === 0 ? conflict : { ...conflict, regions };
    });
    return { ...outcome, conflicts };
  });
}

/** The merged file and both sides of it; nothing where a side has no file. */
function namesOf(tree: Oid, { path, ours, theirs }: Conflict): readonly string[] {
  return isFile(ours) && isFile(theirs) && isText(path) ? [`${tree}:${textOf(path)}`, ours.oid, theirs.oid] : [];
}

function isFile(entry: TreeEntry | undefined): entry is TreeEntry {
  return entry !== undefined && (entry.mode === '100644' || entry.mode === '100755');
}

/** Other paths cannot be asked for by name. */
function isText(path: BytePath): boolean {
  return !textOf(path).includes('\uFFFD');
}
