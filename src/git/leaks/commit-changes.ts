/** The files that commits changed, as object names. */
import { type BytePath, bytePathFromBuffer } from '../../domain/byte-path.ts';
import { isOid, type Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { fieldsOf } from '../native/split-nul.ts';
import type { TreeChange } from '../repository.ts';

export interface ChangedFile {
  readonly path: BytePath;
  /** What each parent has there. */
  readonly before: readonly Oid[];
  /** undefined: removed. */
  readonly after: Oid | undefined;
}

export interface CommitChanges {
  readonly commit: Oid;
  readonly files: readonly ChangedFile[];
}

/** As many commits at a time as one answer may hold. */
const batch = 500;

/** In the order given, many at a time. Of a merge only the files that no parent has like that. */
export async function* changesOf(git: HostGit, commits: readonly Oid[]): AsyncGenerator<readonly CommitChanges[]> {
  for (let at = 0; at < commits.length; at += batch) {
    const some = commits.slice(at, at + batch);
    const args = ['diff-tree', '--stdin', '--root', '-r', '-c', '-z', '--raw', '--no-renames', '--no-abbrev'];
    const { stdout } = await git.run(args, { input: some.map((oid) => `${oid}\n`).join('') });
    const found = new Map(parseChanges(stdout).map((each) => [each.commit, each]));
    // A commit that changed nothing is not mentioned.
    yield some.map((commit) => found.get(commit) ?? { commit, files: [] });
  }
}

/** The commit's name, then for each file `:` once a parent, the modes, the names and the letters, and its path. */
function parseChanges(output: Buffer): readonly CommitChanges[] {
  const fields = fieldsOf(output);
  const found: { commit: Oid; files: ChangedFile[] }[] = [];
  while (!fields.done) {
    const field = fields.text();
    if (isOid(field)) {
      found.push({ commit: field, files: [] });
      continue;
    }
    const parents = /^:+/.exec(field)?.[0].length ?? 0;
    const words = field.slice(parents).split(' ');
    const entries = Array.from({ length: parents + 1 }, (_, index) => fileAt(words[index], words[parents + 1 + index]));
    const path = bytePathFromBuffer(fields.next());
    const before = entries.slice(0, parents).filter((oid) => oid !== undefined);
    found.at(-1)?.files.push({ path, before, after: entries[parents] });
  }
  return found;
}

/** Files and links; a submodule has nothing to look into. */
function fileAt(mode: string | undefined, oid: string | undefined): Oid | undefined {
  return oid === undefined || !isOid(oid) || mode === '000000' || mode === '160000' ? undefined : oid;
}

export function changedFile({ path, before, after }: TreeChange): ChangedFile {
  return {
    path,
    before: before === undefined || before.mode === '160000' ? [] : [before.oid],
    after: after === undefined || after.mode === '160000' ? undefined : after.oid,
  };
}
