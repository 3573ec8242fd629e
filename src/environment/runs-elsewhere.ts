/** Finds what of a change runs on somebody's machine or in CI once it is merged. */

import { textOf } from '../domain/byte-path.ts';
import type { TreeEntry } from '../domain/change.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import {
  type FileChange,
  needsContent,
  type RunsElsewhere,
  runsElsewhere,
  type Side,
} from '../domain/runs-elsewhere.ts';
import type { TreeChange } from '../git/repository.ts';
import type { Workplace } from './workplace.ts';

export async function findRuns(workplace: Workplace, before: Oid, after: Oid): Promise<readonly RunsElsewhere[]> {
  const changes = await workplace.repository.treeChanges(before, after);
  const wanted = changes
    .filter(({ path }) => needsContent(path))
    .flatMap(({ before, after }) => blobsOf([before, after]));
  const contents = wanted.length === 0 ? [] : await workplace.repository.readBlobs(wanted);
  const known = new Map(wanted.map((oid, index) => [oid, contents[index]?.toString('utf8')]));
  const side = (entry: TreeEntry | undefined): Side | undefined =>
    entry === undefined ? undefined : { mode: entry.mode, content: known.get(entry.oid) };
  return runsElsewhere(
    changes.map(
      ({ path, before, after }: TreeChange): FileChange => ({ path, before: side(before), after: side(after) }),
    ),
  );
}

function blobsOf(entries: readonly (TreeEntry | undefined)[]): readonly Oid[] {
  return entries.flatMap((entry) => (entry === undefined || entry.mode === '160000' ? [] : [entry.oid]));
}

/** For those who let nothing of that kind in without a look: throws `runs-elsewhere`. */
export function refuseRuns(name: string, runs: readonly RunsElsewhere[]): void {
  if (runs.length === 0) return;
  const files = runs.map(({ path, by, when }) => ({ path: textOf(path), kind: `${by}, ${when}` }));
  const many = runs.length === 1 ? 'A change' : `${runs.length} changes`;
  throw new CoppiceError(
    'refused',
    'runs-elsewhere',
    `${many} of ${name} would run on the host or in CI after the merge.`,
    {
      hint: 'Nothing was changed. Look at them with `coppice diff`, then go on without --refuse-runs.',
      data: { files },
    },
  );
}
