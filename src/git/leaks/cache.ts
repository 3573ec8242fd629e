/** What was found in each commit, kept between processes: a commit never changes. Safe to delete. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BytePath } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import { errnoOf } from '../../platform/errno.ts';

type FoundParts = readonly { readonly path?: BytePath | undefined; readonly detail: string }[];
export type FoundIn = ReadonlyMap<Oid, FoundParts>;

/** To be changed when the rules are: what was found by others is not believed. */
const rules = 2;

interface Stored {
  readonly rules: number;
  /** What was searched for. */
  readonly search: string;
  readonly commits: readonly (readonly [Oid, FoundParts])[];
}

export async function readFound(file: string, search: string): Promise<FoundIn> {
  try {
    const stored = JSON.parse(await readFile(file, 'utf8')) as Stored;
    return stored.rules === rules && stored.search === search ? new Map(stored.commits) : new Map();
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof SyntaxError)) throw error;
    return new Map();
  }
}

/** A disk that is full must fail nobody's work for the sake of a cache. */
export async function writeFound(file: string, search: string, found: FoundIn): Promise<void> {
  const stored: Stored = { rules, search, commits: [...found] };
  const draft = `${file}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(draft, JSON.stringify(stored), { mode: 0o600 });
    await rename(draft, file);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    await rm(draft, { force: true });
  }
}
