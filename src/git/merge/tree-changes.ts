/** What differs between two trees, entry by entry. */
import { bytePathFromBuffer } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { fieldsOf } from '../native/split-nul.ts';
import type { TreeChange } from '../repository.ts';
import { fileMode } from './merge-report.ts';

/** Renames are a removal and an addition here. */
export async function treeChanges(
  git: HostGit,
  env: Readonly<Record<string, string>>,
  before: Oid,
  after: Oid,
): Promise<readonly TreeChange[]> {
  const args = ['diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-abbrev', '--ignore-submodules=none'];
  const fields = fieldsOf((await git.run([...args, before, after], { env })).stdout);
  const changes: TreeChange[] = [];
  while (!fields.done) {
    const [modeBefore = '', modeAfter = '', oidBefore = '', oidAfter = ''] = fields.text().slice(1).split(' ');
    const path = bytePathFromBuffer(fields.next());
    changes.push({ path, before: entryOf(modeBefore, oidBefore), after: entryOf(modeAfter, oidAfter) });
  }
  return changes;
}

function entryOf(mode: string, oid: string): TreeEntry | undefined {
  return mode === '000000' ? undefined : { mode: fileMode(mode), oid: parseOid(oid) };
}
