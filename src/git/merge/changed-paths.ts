/** Which paths differ between two trees, in the form that tells whether the changes of two sides can touch. */
import type { Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { fieldsOf } from '../native/split-nul.ts';

/** Renames are a removal and an addition here. Paths are bytes, one character each. */
export interface ChangedPaths {
  /** Files that were added, changed or removed. */
  readonly files: ReadonlySet<string>;
  /** Every directory that has one of them in it or below it; not the topmost. */
  readonly above: ReadonlySet<string>;
  /** Directories that are gone. */
  readonly removed: ReadonlySet<string>;
}

export interface TreePair {
  readonly before: Oid;
  readonly after: Oid;
}

/** In order; one process for all. */
export async function changedPaths(git: HostGit, pairs: readonly TreePair[]): Promise<readonly ChangedPaths[]> {
  if (pairs.length === 0) return [];
  const args = ['diff-tree', '--stdin', '-r', '-t', '-z', '--raw', '--no-renames', '--ignore-submodules=none'];
  const input = pairs.map(({ before, after }) => `${before} ${after}\n`).join('');
  return parse((await git.run(args, { input })).stdout);
}

/** For each pair `<oid> SP <oid> LF`, then `:<mode> <mode> <oid> <oid> <status> NUL <path> NUL` for each change. */
function parse(output: Buffer): readonly ChangedPaths[] {
  const found: Collected[] = [];
  const fields = fieldsOf(output);
  let collected = collect();
  while (!fields.done) {
    const record = fields.next();
    // A pair without changes leaves nothing but its line, in front of the next one's.
    const colon = record.indexOf(0x3a);
    const heads = (colon < 0 ? record : record.subarray(0, colon)).toString('latin1').split('\n').length - 1;
    for (let head = 0; head < heads; head++) {
      collected = collect();
      found.push(collected);
    }
    if (colon >= 0) add(collected, record.toString('latin1', colon), fields.next().toString('latin1'));
  }
  return found;
}

type Collected = { readonly [Key in keyof ChangedPaths]: Set<string> };

function collect(): Collected {
  return { files: new Set(), above: new Set(), removed: new Set() };
}

function add(to: Collected, record: string, path: string): void {
  const [before = '', after = ''] = record.slice(1).split(' ');
  noteChange(to, before, after, path);
}

/** Adds one entry of a comparison, with its modes on both sides. */
export function noteChange(to: Collected, before: string, after: string, path: string): void {
  if (before === directory && after !== directory) to.removed.add(path);
  if (!isFileMode(before) && !isFileMode(after)) return;
  to.files.add(path);
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    to.above.add(path.slice(0, slash));
  }
}

const directory = '040000';

export function isFileMode(mode: string): boolean {
  return mode !== '000000' && mode !== directory;
}
