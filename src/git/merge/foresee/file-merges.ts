/** Merges of single files, remembered by what their three versions are: another checkpoint rarely changes more than one. */
import { availableParallelism } from 'node:os';
import type { TreeEntry } from '../../../domain/change.ts';
import type { ObjectFormat } from '../../../domain/oid.ts';
import type { ObjectReader } from '../../checkpoint/object-reader.ts';
import type { HostGit } from '../../host-git.ts';
import { withQuarantine } from '../quarantine.ts';
import { scratchInMemory } from '../scratch.ts';
import { type FileVerdict, mergeFiles, type Versions } from './merge-files.ts';

export interface FileMerges {
  /** In order. Undefined where it is not known: git gave up. */
  of(files: readonly Versions[]): Promise<readonly (FileVerdict | undefined)[]>;
}

interface Ground {
  readonly git: HostGit;
  readonly format: ObjectFormat;
  readonly scratch: string;
  readonly reader: ObjectReader;
}

/** Verdicts a process remembers; half of them go when there are more. */
const most = 20_000;
/** Files that are worth a process of their own. */
const fewest = 100;

export function rememberFileMerges(ground: Ground): FileMerges {
  const known = new Map<string, FileVerdict>();
  return {
    async of(files) {
      const open = new Map(files.map((file) => [keyOf(file), file] as const).filter(([key]) => !known.has(key)));
      for (const [key, verdict] of await mergeNew(ground, open)) known.set(key, verdict);
      const verdicts = files.map((file) => known.get(keyOf(file)));
      if (known.size > most) for (const key of [...known.keys()].slice(0, most / 2)) known.delete(key);
      return verdicts;
    },
  };
}

function keyOf({ base, ours, theirs }: Versions): string {
  return [base, ours, theirs].map(nameOf).join(' ');
}

function nameOf(entry: TreeEntry | undefined): string {
  return entry === undefined ? '-' : `${entry.mode} ${entry.oid}`;
}

type Keyed = readonly [key: string, file: Versions];

async function mergeNew({ git, format, scratch, reader }: Ground, open: ReadonlyMap<string, Versions>) {
  if (open.size === 0) return [];
  const place = await scratchInMemory(scratch);
  return withQuarantine(git, place, async (quarantine) => {
    const found: (readonly [string, FileVerdict])[] = [];
    const merge = async (group: readonly Keyed[], index: number) => {
      const files = group.map(([, file]) => file);
      const verdicts = await mergeFiles({ git, format, quarantine, reader }, files, `files-${index}`);
      for (const [at, [key]] of group.entries()) {
        const verdict = verdicts?.[at];
        if (verdict !== undefined) found.push([key, verdict]);
      }
    };
    await Promise.all(groupsOf([...open]).map(merge));
    return found;
  });
}

/** Those that a side has removed apart from the others, so that nothing looks like a rename; shares for each processor. */
function groupsOf(files: readonly Keyed[]): readonly (readonly Keyed[])[] {
  const isThere = ([, { ours, theirs }]: Keyed) => ours !== undefined && theirs !== undefined;
  const groups = [files.filter(isThere), files.filter((each) => !isThere(each))];
  return groups.flatMap((group) => {
    const size = Math.max(fewest, Math.ceil(group.length / availableParallelism()));
    return Array.from({ length: Math.ceil(group.length / size) }, (_, index) =>
      group.slice(index * size, (index + 1) * size),
    );
  });
}
