/** The search for secrets in commits, on objects alone: only commits that nobody has looked at yet are read. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { BytePath } from '../../domain/byte-path.ts';
import { trailers } from '../../domain/checkpoint.ts';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { isOid, type Oid } from '../../domain/oid.ts';
import { breathing } from '../../platform/slices.ts';
import { openObjectReader } from '../checkpoint/object-reader.ts';
import { openSecretScanner, type SecretScanner } from '../checkpoint/secrets/scanner.ts';
import type { SecretSearch } from '../checkpointer.ts';
import type { HostGit } from '../host-git.ts';
import type { Leak, LeakSearch } from '../leaks.ts';
import { treeChanges } from '../merge/tree-changes.ts';
import { blobsIn, sizesOf } from './blobs.ts';
import { readFound, writeFound } from './cache.ts';
import { changedFile, changesOf } from './commit-changes.ts';
import { examineChanges, newBlobs } from './examine.ts';
import { examineCommit, type FoundInCommit } from './examine-commit.ts';
import { withRefs } from './kept-by.ts';

export interface LeakSearchDependencies {
  readonly git: HostGit;
  /** What environments' branches begin with: theirs are not the user's own. */
  readonly branchPrefix: string;
  /** Where an environment's caches are. */
  cacheOf(name: EnvironmentName): string;
  /** What is searched for where these paths are allowed. */
  searchFor(allow: readonly string[]): SecretSearch;
}

export function openLeakSearch(dependencies: LeakSearchDependencies): LeakSearch {
  const { git, searchFor } = dependencies;
  return {
    async inCommits(request) {
      const scanner = await openSecretScanner(searchFor(request.allow));
      if (scanner.searchedFor() === '') return [];
      const commits = await newCommits(dependencies, [request.head], request.without);
      return searchRemembering(git, scanner, commits, join(dependencies.cacheOf(request.name), 'leaks.json'));
    },
    async inRefs(request) {
      const scanner = await openSecretScanner(searchFor(request.allow));
      if (scanner.searchedFor() === '') return [];
      const globs = request.prefixes.map((prefix) => `--glob=${prefix}*`);
      const commits = await newCommits(dependencies, [...noCheckpoints, ...globs], request.without);
      const file = join(dependencies.cacheOf(request.name), 'leaks-elsewhere.json');
      const leaks = await searchRemembering(git, scanner, commits, file);
      return leaks.length === 0 ? [] : withRefs(git, leaks, request.prefixes);
    },
    async inText(text) {
      const scanner = await openSecretScanner(searchFor([]));
      return (await scanner.examine('text' as BytePath, Buffer.from(text), async () => undefined)) !== undefined;
    },
    async inChanges({ before, after, allow }) {
      const scanner = await openSecretScanner(searchFor(allow));
      if (scanner.searchedFor() === '' || before === after) return [];
      const files = (await treeChanges(git, {}, before, after)).map(changedFile);
      const reader = openObjectReader(git);
      try {
        const blobs = blobsIn(git, reader, await sizesOf(git, newBlobs(files)), before);
        const found = await examineChanges(scanner, blobs, files);
        return found.map(({ path, detail }) => ({ commit: after, path, detail }));
      } finally {
        await reader.close();
      }
    },
  };
}

/** See `isCheckpoint`. */
const noCheckpoints = [
  '--invert-grep',
  '--all-match',
  `--grep=^${trailers.environment}: `,
  `--grep=^${trailers.cause}: `,
];

/** Oldest first. `wanted`: of `git rev-list`. */
async function newCommits(
  { git, branchPrefix }: LeakSearchDependencies,
  wanted: readonly string[],
  without: readonly Oid[],
): Promise<readonly Oid[]> {
  const { stdout } = await git.run([
    'rev-list',
    '--topo-order',
    '--reverse',
    '--ignore-missing',
    ...wanted,
    '--not',
    ...without,
    `--exclude=${branchPrefix}*`,
    '--branches',
    // Environments that were pushed are not the user's own work either.
    `--exclude=*/${branchPrefix}*`,
    '--remotes',
    '--tags',
  ]);
  return stdout
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '') as Oid[];
}

/** Reads only those that nobody has searched for the same yet, as `file` tells. */
async function searchRemembering(
  git: HostGit,
  scanner: SecretScanner,
  commits: readonly Oid[],
  file: string,
): Promise<readonly Leak[]> {
  if (commits.length === 0) return [];
  const wanted = createHash('sha256').update(scanner.searchedFor()).digest('hex');
  const known = await readFound(file, wanted);
  const found = await searchAll(git, scanner, commits, known);
  // What could not be searched is told, and looked at again the next time.
  const certain = [...found].filter(([, each]) => each.every((one) => one.certain));
  if (certain.length > 0) await writeFound(file, wanted, new Map([...known, ...certain]));
  return commits.flatMap((commit) =>
    (found.get(commit) ?? known.get(commit) ?? []).map(({ path, detail }): Leak => ({ commit, path, detail })),
  );
}

/** Commits that are not in `known`. */
async function searchAll(
  git: HostGit,
  scanner: SecretScanner,
  commits: readonly Oid[],
  known: ReadonlyMap<Oid, unknown>,
): Promise<ReadonlyMap<Oid, readonly FoundInCommit[]>> {
  const unknown = commits.filter((commit) => !known.has(commit));
  const found = new Map<Oid, readonly FoundInCommit[]>();
  if (unknown.length === 0) return found;
  const reader = openObjectReader(git);
  const breathe = breathing();
  try {
    for await (const page of changesOf(git, unknown)) {
      const sizes = await sizesOf(git, newBlobs(page.flatMap(({ files }) => files)));
      for (const { commit, files } of page) {
        await breathe();
        const content = (await reader.read(commit))?.content ?? Buffer.alloc(0);
        const inFiles = await examineChanges(scanner, blobsIn(git, reader, sizes, firstParent(content)), files);
        found.set(commit, [...inFiles, ...(await examineCommit(scanner, content))]);
      }
    }
  } finally {
    await reader.close();
  }
  return found;
}

/** The object's own words, which no graft or replacement changes. */
function firstParent(commit: Buffer): Oid | undefined {
  const [, parent = ''] = /^tree [0-9a-f]+\nparent ([0-9a-f]+)\n/.exec(commit.toString('latin1', 0, 200)) ?? [];
  return isOid(parent) ? parent : undefined;
}
