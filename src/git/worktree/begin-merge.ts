/**
 * Puts an agent's git directory that is still being made into the middle of a merge: MERGE_HEAD and its like, and an index
 * with the stages of what conflicts (gitrepository-layout(5), git-merge(1)).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesOf } from '../../domain/byte-path.ts';
import { type Oid, zeroOid } from '../../domain/oid.ts';
import type { MergeUnderWay, Unmerged } from '../worktree.ts';
import { packHistory } from './base-store.ts';
import type { WorktreeContext } from './context.ts';
import { bringIndexTo } from './index-file.ts';

export async function beginMerge(
  context: WorktreeContext,
  registration: string,
  draft: string,
  head: Oid,
  { theirs, ref, message, left, conflicts }: MergeUnderWay,
): Promise<void> {
  // Of several merge bases git makes one, whose blobs no commit has.
  const blobs = conflicts.flatMap(({ base }) => (base === undefined || base.mode === '160000' ? [] : [base.oid]));
  if (blobs.length > 0) await packHistory(context, [...new Set(blobs)], join(draft, 'objects/pack'));
  await bringIndexTo(context.git, registration, left, join(draft, 'index'));
  await context.git.run(['update-index', '-z', '--index-info'], {
    gitDirectory: registration,
    env: { GIT_INDEX_FILE: join(draft, 'index') },
    input: indexInfo(conflicts, zeroOid(context.objectFormat)),
  });
  const files = { MERGE_HEAD: `${theirs}\n`, ORIG_HEAD: `${head}\n`, MERGE_MODE: '', MERGE_MSG: message };
  for (const [name, content] of Object.entries(files)) await writeFile(join(draft, name), content);
  await mkdir(join(draft, dirname(ref)), { recursive: true });
  await writeFile(join(draft, ref), `${theirs}\n`);
}

/** What is there goes, with mode 0; then come the stages. */
function indexInfo(conflicts: readonly Unmerged[], zero: Oid): Buffer {
  const lines = conflicts.flatMap(({ path, base, ours, theirs }) => {
    const stages = [base, ours, theirs].flatMap((entry, index) =>
      entry === undefined ? [] : [`${entry.mode} ${entry.oid} ${index + 1}`],
    );
    // A conflict about a directory has no entry of its own.
    const removal = stages.length === 0 ? [] : [`0 ${zero} 0`];
    return [...removal, ...stages].map((start) =>
      Buffer.concat([Buffer.from(`${start}\t`), bytesOf(path), Buffer.from([0])]),
    );
  });
  return Buffer.concat(lines);
}
