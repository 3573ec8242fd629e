/** Keeps conflict markers out of commits and branches. Looks at objects only, and only at those that changed. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import { countConflicts } from '../../domain/conflict-markers.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { Repository, TreeChange } from '../../git/repository.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';

/** Blobs in memory at one time. */
const batch = 100;
/** Files named in the sentence. */
const named = 5;

/** Throws `conflict-markers` when files that the tip changed since `since` have more of them than they had before. */
export async function refuseMarkers(workplace: Workplace, environment: Environment, since: Oid): Promise<void> {
  const { name, at } = environment;
  const files = await filesWithMarkers(workplace.repository, at, since);
  const [first] = files;
  if (first === undefined) return;
  const more = files.length > named ? ` and ${files.length - named} more` : '';
  throw new CoppiceError(
    'refused',
    'conflict-markers',
    `There are conflict markers in ${files.slice(0, named).join(', ')}${more}.`,
    {
      hint: `Resolve them in ${name} first, or say --allow-markers if they belong there.`,
      data: { environment: name, files },
    },
  );
}

/** Whether any file that differs has conflict markers. */
export async function anyMarkers(repository: Repository, before: Oid, after: Oid): Promise<boolean> {
  const changes = await repository.treeChanges(before, after);
  const changed = changes.flatMap((change) => (isFile(change.after) ? [change.after.oid] : []));
  return (await countIn(repository, changed)).some((count) => count > 0);
}

async function filesWithMarkers(repository: Repository, at: Environment['at'], since: Oid): Promise<readonly string[]> {
  if (at.tip === since) return [];
  const changes = await repository.treeChanges(since, at.tip);
  // What was only moved is as good as before.
  const known = new Set(changes.flatMap(({ before }) => (before === undefined ? [] : [before.oid])));
  const changed = changes.filter(({ after }) => isFile(after) && !known.has(after.oid));
  const counts = await countIn(
    repository,
    changed.map(({ after }) => after?.oid),
  );
  const suspects = changed.filter((_, index) => (counts[index] ?? 0) > 0);
  if (suspects.length === 0) return [];
  const allowed = await allowedIn(repository, suspects, at.base);
  const countOf = new Map(changed.map(({ path }, index) => [path, counts[index] ?? 0]));
  return suspects
    .map(({ path }) => path)
    .filter((path) => (countOf.get(path) ?? 0) > (allowed.get(path) ?? 0))
    .map(textOf);
}

/** As many as the file had in the commit compared with, or in the base. */
async function allowedIn(
  repository: Repository,
  suspects: readonly TreeChange[],
  base: Oid,
): Promise<ReadonlyMap<BytePath, number>> {
  const before = await countIn(
    repository,
    suspects.map((change) => (isFile(change.before) ? change.before.oid : undefined)),
  );
  const inBase = await repository.readBlobsAt(suspects.map(({ path }) => ({ treeish: base, path: textOf(path) })));
  return new Map(
    suspects.map(({ path }, index) => {
      const content = inBase[index];
      return [path, Math.max(before[index] ?? 0, content === undefined ? 0 : countConflicts(content))];
    }),
  );
}

async function countIn(repository: Repository, oids: readonly (Oid | undefined)[]): Promise<readonly number[]> {
  const distinct = [...new Set(oids.filter((oid) => oid !== undefined))];
  const counts = new Map<Oid, number>();
  for (let start = 0; start < distinct.length; start += batch) {
    const part = distinct.slice(start, start + batch);
    const contents = await repository.readBlobs(part);
    for (const [index, oid] of part.entries()) counts.set(oid, countConflicts(contents[index] ?? Buffer.alloc(0)));
  }
  return oids.map((oid) => (oid === undefined ? 0 : (counts.get(oid) ?? 0)));
}

function isFile(entry: TreeEntry | undefined): entry is TreeEntry {
  return entry?.mode === '100644' || entry?.mode === '100755';
}
