/** Finds environments: everything from references, so that deleting every cache changes nothing. */

import { type EnvironmentName, isEnvironmentName, parseEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { coppiceRefs, nameOfRecordRef } from '../domain/ref-layout.ts';
import { parseRefName } from '../domain/ref-name.ts';
import type { CommitInfo } from '../git/repository.ts';
import { directoriesFor, type Environment, refsOfRecord } from './environment.ts';
import { parseWord, wordFile } from './merged/word.ts';
import { parseRecord, recordFile } from './record.ts';
import type { Workplace } from './workplace.ts';

/** Every environment of the repository, by name. Those whose record cannot be read are left to `broken`. */
export async function listEnvironments(
  workplace: Workplace,
  broken: (name: EnvironmentName, error: unknown) => void = () => undefined,
): Promise<readonly Environment[]> {
  return (await listWithTips(workplace, broken, false)).environments;
}

/** The same with the commits their branches are at, read side by side with the records. */
export async function listWithTips(
  workplace: Workplace,
  broken: (name: EnvironmentName, error: unknown) => void,
  wantTips = true,
): Promise<{ readonly environments: readonly Environment[]; readonly tips: ReadonlyMap<Oid, CommitInfo> }> {
  const { repository } = workplace;
  const refs = await repository.listRefs(coppiceRefs, `refs/heads/${workplace.settings.branchPrefix}`);
  const byName = new Map<string, Oid>(refs.map((ref) => [ref.name, ref.oid]));
  const records = refs.flatMap((ref) => {
    const name = nameOfRecordRef(ref.name);
    return name === undefined ? [] : [{ name, oid: ref.oid }];
  });
  const branches = refs.filter(({ name }) => name.startsWith('refs/heads/')).map(({ oid }) => oid);
  const [blobs, commits] = await Promise.all([
    readRecords(
      workplace,
      records.map(({ oid }) => oid),
    ),
    wantTips ? repository.readCommits([...new Set(branches)]) : [],
  ]);
  const found: Environment[] = [];
  for (const [index, { name, oid }] of records.entries()) {
    try {
      found.push(await assemble(workplace, name, oid, blobs[index], byName));
    } catch (error) {
      broken(name, error);
    }
  }
  return {
    environments: found.sort((left, right) => (left.name < right.name ? -1 : 1)),
    tips: new Map(commits.map((commit) => [commit.oid, commit])),
  };
}

/** The named one; without a name the only one there is, or the one whose worktree the caller stands in. */
export async function findEnvironment(workplace: Workplace, name: string | undefined): Promise<Environment> {
  if (name === undefined) return onlyEnvironment(workplace);
  if (isEnvironmentName(name)) {
    const found = await readEnvironment(workplace, name);
    if (found !== undefined) return found;
  }
  parseEnvironmentName(name);
  const names = (await listEnvironments(workplace)).map((each) => each.name);
  throw new CoppiceError('not-found', 'environment-not-found', `There is no environment named ${name} here.`, {
    hint:
      names.length === 0
        ? '`coppice create` makes one; `coppice restore` brings back one that was removed.'
        : `There ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ')}.`,
    data: { name, environments: names },
  });
}

/** undefined when it does not exist. */
export async function readEnvironment(workplace: Workplace, name: EnvironmentName): Promise<Environment | undefined> {
  const { repository } = workplace;
  const refs = await repository.listRefs(
    `${coppiceRefs}${name}/`,
    `refs/heads/${workplace.settings.branchPrefix}${name}`,
  );
  const byName = new Map<string, Oid>(refs.map((ref) => [ref.name, ref.oid]));
  const oid = byName.get(`${coppiceRefs}${name}/record`);
  if (oid === undefined) return undefined;
  const [files] = await readRecords(workplace, [oid]);
  return assemble(workplace, name, oid, files, byName);
}

interface RecordFiles {
  readonly record: Buffer | undefined;
  readonly word: Buffer | undefined;
}

/** One process for any number. */
async function readRecords({ repository }: Workplace, records: readonly Oid[]): Promise<readonly RecordFiles[]> {
  const wanted = [recordFile, wordFile].flatMap((path) => records.map((treeish) => ({ treeish, path })));
  const blobs = await repository.readBlobsAt(wanted);
  return records.map((_, index) => ({ record: blobs[index], word: blobs[records.length + index] }));
}

async function onlyEnvironment(workplace: Workplace): Promise<Environment> {
  const all = await listEnvironments(workplace);
  const here = all.find(({ directories }) => `${workplace.surroundings.cwd}/`.startsWith(`${directories.tree}/`));
  const [only] = all;
  if (here !== undefined) return here;
  if (only !== undefined && all.length === 1) return only;
  if (only === undefined) {
    throw new CoppiceError('not-found', 'no-environment', 'This repository has no environments.', {
      hint: '`coppice create` makes one.',
    });
  }
  const names = all.map((each) => each.name);
  throw new CoppiceError('usage', 'name-needed', `Say which environment: there are ${all.length}.`, {
    hint: `One of: ${names.join(', ')}.`,
    data: { environments: names },
  });
}

async function assemble(
  workplace: Workplace,
  name: EnvironmentName,
  oid: Oid,
  files: RecordFiles | undefined,
  refs: ReadonlyMap<string, Oid>,
): Promise<Environment> {
  const record = parseRecord(files?.record, name);
  const word = parseWord(files?.word);
  const names = refsOfRecord(record);
  // A branch under another prefix than today's was not in the listing.
  const tip = refs.get(names.branch) ?? (await workplace.repository.readRef(names.branch));
  const base = refs.get(names.base);
  const head = refs.get(names.head);
  if (tip === undefined || base === undefined || head === undefined) {
    const missing = tip === undefined ? names.branch : base === undefined ? names.base : names.head;
    throw new CoppiceError('failed', 'environment-broken', `The environment ${name} has lost ${missing}.`, {
      hint: `\`coppice doctor\` finds the newest intact commit; the branch's reflog may have it too.`,
      data: { name, missing },
    });
  }
  return {
    name,
    record,
    refs: names,
    directories: directoriesFor(workplace, name),
    at: { tip, base, head, record: oid, outside: refs.get(names.outside), applied: refs.get(names.applied) },
    target: record.target === null ? undefined : parseRefName(record.target),
    ...(word === undefined ? {} : { word }),
  };
}
