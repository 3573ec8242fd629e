/**
 * Merges many files that have nothing to do with one another, each by its three versions: one merge of three trees that
 * hold nothing else, each file under a number.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BytePath } from '../../../domain/byte-path.ts';
import type { TreeEntry } from '../../../domain/change.ts';
import type { ObjectFormat, Oid } from '../../../domain/oid.ts';
import type { ObjectReader } from '../../checkpoint/object-reader.ts';
import { encodeTree, parseTree, type RawEntry } from '../../checkpoint/objects.ts';
import type { HostGit } from '../../host-git.ts';
import type { Conflict } from '../../merging.ts';
import { conflictsOf } from '../conflicts.ts';
import { parseMergeReport } from '../merge-report.ts';
import type { Quarantine } from '../quarantine.ts';
import { regionsOf } from '../regions.ts';
import { mergeCall } from '../three-way.ts';
import { largest } from '../with-regions.ts';
import { readLoose, writeLoose } from './loose-objects.ts';

/** Three versions of one file, at least one of which both others differ from. */
export interface Versions {
  readonly base: TreeEntry | undefined;
  readonly ours: TreeEntry | undefined;
  readonly theirs: TreeEntry | undefined;
}

/** What a conflict is, wherever the file is. */
export type FileConflict = Omit<Conflict, 'path'>;

export type FileVerdict = 'clean' | FileConflict;

export interface Workshop {
  readonly git: HostGit;
  readonly format: ObjectFormat;
  readonly reader: ObjectReader;
  readonly quarantine: Quarantine;
}

/** Milliseconds for all of them. */
const longest = 30 * 60_000;

/**
 * In order. Where some have a side without the file, no other may have it on one side only: git would hold the one for
 * renamed to the other. Undefined where git gives up, which it does for all because of one.
 */
export async function mergeFiles(
  workshop: Workshop,
  files: readonly Versions[],
  folder: string,
): Promise<readonly FileVerdict[] | undefined> {
  const { git, quarantine } = workshop;
  const names = files.map((_, index) => `${index}` as BytePath);
  const { ours, theirs } = await writeSides(workshop, files, names);
  const workTree = join(quarantine.directory, folder);
  await mkdir(workTree);
  const { status, stdout } = await git.run(['merge-tree', '--write-tree', '-z', '--messages', ours, theirs], {
    ...mergeCall(quarantine, workTree),
    config: ['core.looseCompression=0', 'merge.conflictStyle=zdiff3'],
    allow: [0, 1, 128],
    timeout: longest,
  });
  // Git says 1 as well where it gives up: then it has no report.
  if (status === 128 || stdout.length === 0) return undefined;
  const report = parseMergeReport(stdout);
  const conflicts = new Map(
    (status === 0 ? [] : conflictsOf(report)).map(({ path, ...conflict }) => [path, conflict] as const),
  );
  if (![...conflicts.keys()].every((name) => name in files)) return undefined;
  const merged = conflicts.size === 0 ? undefined : await readMerged(workshop, report.tree);
  const verdicts: FileVerdict[] = [];
  for (const name of names) {
    const conflict = conflicts.get(name);
    const marked = merged?.get(name);
    verdicts.push(conflict === undefined ? 'clean' : await withRegions(workshop, conflict, marked, { ours, theirs }));
  }
  return verdicts;
}

/** The two sides as commits over the base. */
async function writeSides(
  { format, quarantine: { objects } }: Workshop,
  files: readonly Versions[],
  names: readonly string[],
): Promise<{ readonly ours: Oid; readonly theirs: Oid }> {
  const write = async (side: keyof Versions, parent?: Oid) => {
    const entries = files.flatMap((file, index): [string, RawEntry][] => {
      const entry = file[side];
      return entry === undefined ? [] : [[names[index] ?? '', entry]];
    });
    const tree = await writeLoose(objects, format, 'tree', encodeTree(new Map(entries)));
    const parents = parent === undefined ? '' : `parent ${parent}\n`;
    return writeLoose(objects, format, 'commit', Buffer.from(`tree ${tree}\n${parents}${nobody}`));
  };
  const base = await write('base');
  const [ours, theirs] = await Promise.all([write('ours', base), write('theirs', base)]);
  return { ours, theirs };
}

const nobody = 'author coppice <coppice@localhost> 0 +0000\ncommitter coppice <coppice@localhost> 0 +0000\n\n';

/** Names of the merged files. */
async function readMerged(workshop: Workshop, tree: Oid): Promise<ReadonlyMap<string, RawEntry> | undefined> {
  const content = await readObject(workshop, tree);
  return content && parseTree(content, workshop.format);
}

/** Git writes nothing that the repository has already. */
async function readObject({ quarantine, reader }: Workshop, oid: Oid): Promise<Buffer | undefined> {
  return (await readLoose(quarantine.objects, oid)) ?? (await reader.read(oid))?.content;
}

async function withRegions(
  workshop: Workshop,
  conflict: FileConflict,
  merged: RawEntry | undefined,
  labels: { readonly ours: Oid; readonly theirs: Oid },
): Promise<FileConflict> {
  if (merged === undefined || conflict.ours === undefined || conflict.theirs === undefined) return conflict;
  const named = [merged.oid, conflict.ours.oid, conflict.theirs.oid];
  const contents = await Promise.all(named.map((oid) => readObject(workshop, oid)));
  const [marked, ours, theirs] = contents.map((content) =>
    content === undefined || content.length > largest ? undefined : content.toString('latin1'),
  );
  if (marked === undefined || ours === undefined || theirs === undefined) return conflict;
  const regions = regionsOf({ marked, ours, theirs }, labels);
  return regions.length === 0 ? conflict : { ...conflict, regions };
}
