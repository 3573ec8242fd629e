/** What differs between many pairs of trees, entry by entry, with the directories concerned: one process for all. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import { parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { fieldsOf } from '../native/split-nul.ts';
import { type ChangedPaths, isFileMode, noteChange, type TreePair } from './changed-paths.ts';
import { fileMode } from './merge-report.ts';

export interface ChangedEntries extends ChangedPaths {
  readonly files: ReadonlySet<string>;
  /** What each changed path is after; undefined: gone. */
  readonly edits: ReadonlyMap<BytePath, TreeEntry | undefined>;
}

/** In order. A rename is a removal and an addition. */
export async function changedEntries(
  git: HostGit,
  pairs: readonly TreePair[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly ChangedEntries[]> {
  if (pairs.length === 0) return [];
  const args = ['diff-tree', '--stdin', '-r', '-t', '-z', '--raw', '--no-renames', '--no-abbrev'];
  const input = pairs.map(({ before, after }) => `${before} ${after}\n`).join('');
  const { stdout } = await git.run([...args, '--ignore-submodules=none'], { input, env });
  return parse(stdout);
}

interface Collected {
  readonly files: Set<string>;
  readonly above: Set<string>;
  readonly removed: Set<string>;
  readonly edits: Map<BytePath, TreeEntry | undefined>;
}

/** For each pair `<oid> SP <oid> LF`, then `:<mode> <mode> <oid> <oid> <status> NUL <path> NUL` for each change. */
function parse(output: Buffer): readonly ChangedEntries[] {
  const found: Collected[] = [];
  const fields = fieldsOf(output);
  while (!fields.done) {
    const record = fields.next();
    const colon = record.indexOf(0x3a);
    // A pair without changes leaves nothing but its line, in front of the next one's.
    const heads = (colon < 0 ? record : record.subarray(0, colon)).toString('latin1').split('\n').length - 1;
    for (let head = 0; head < heads; head += 1) {
      found.push({ files: new Set(), above: new Set(), removed: new Set(), edits: new Map() });
    }
    const last = found.at(-1);
    if (colon >= 0 && last !== undefined) add(last, record.toString('latin1', colon), fields.next().toString('latin1'));
  }
  return found;
}

function add(to: Collected, record: string, path: string): void {
  const [before = '', after = '', , oid = ''] = record.slice(1).split(' ');
  noteChange(to, before, after, path);
  if (isFileMode(after)) to.edits.set(path as BytePath, { mode: fileMode(after), oid: parseOid(oid) });
  else if (isFileMode(before)) to.edits.set(path as BytePath, undefined);
}
