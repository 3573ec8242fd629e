/** The changes of an environment file by file, ready to choose hunks from. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import type { Oid } from '../../domain/oid.ts';
import type { Repository } from '../../git/repository.ts';

export interface FileOffer {
  readonly path: BytePath;
  /** Where it was renamed from. */
  readonly from: BytePath | undefined;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
  /** One character per byte; undefined where the change can only be taken whole: binary files, links, submodules. */
  readonly text: { readonly before: string; readonly after: string } | undefined;
}

/** Larger files are taken whole. */
const mostBytes = 2 ** 22;

export async function offersBetween(repository: Repository, before: Oid, after: Oid): Promise<readonly FileOffer[]> {
  const [files, changes] = await Promise.all([
    repository.diffStat(before, after),
    repository.treeChanges(before, after),
  ]);
  const changeAt = new Map(changes.map((change) => [change.path, change]));
  const pairs = files.map(({ path, from }) => ({
    path,
    from,
    before: changeAt.get(from ?? path)?.before,
    after: changeAt.get(path)?.after,
  }));
  const oids = pairs.flatMap(({ before: one, after: other }) => [one, other]).filter(isFile);
  const contents = await repository.readBlobs(oids.map(({ oid }) => oid));
  const contentOf = new Map(oids.map(({ oid }, index) => [oid, contents[index]]));
  return pairs.map((pair) => ({ ...pair, text: textsOf(pair.before, pair.after, contentOf) }));
}

function textsOf(
  before: TreeEntry | undefined,
  after: TreeEntry | undefined,
  contentOf: ReadonlyMap<Oid, Buffer | undefined>,
): FileOffer['text'] {
  const textOf = (entry: TreeEntry | undefined) => {
    if (entry === undefined) return '';
    const content = isFile(entry) ? contentOf.get(entry.oid) : undefined;
    return content === undefined || content.length > mostBytes || content.includes(0)
      ? undefined
      : content.toString('latin1');
  };
  const [one, other] = [textOf(before), textOf(after)];
  return one === undefined || other === undefined ? undefined : { before: one, after: other };
}

function isFile(entry: TreeEntry | undefined): entry is TreeEntry {
  return entry?.mode === '100644' || entry?.mode === '100755';
}
