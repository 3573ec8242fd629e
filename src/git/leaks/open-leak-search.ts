/** The search for secrets in commits, on objects alone: only commits that nobody has looked at yet are read. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { BytePath } from '../../domain/byte-path.ts';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import type { Oid } from '../../domain/oid.ts';
import { breathing } from '../../platform/slices.ts';
import { openObjectReader } from '../checkpoint/object-reader.ts';
import { openSecretScanner, type SecretScanner } from '../checkpoint/secrets/scanner.ts';
import type { SecretSearch } from '../checkpointer.ts';
import type { HostGit } from '../host-git.ts';
import type { CommitSearch, Leak, LeakSearch } from '../leaks.ts';
import { treeChanges } from '../merge/tree-changes.ts';
import { blobsIn, sizesOf } from './blobs.ts';
import { readFound, writeFound } from './cache.ts';
import { changedFile, changesOf } from './commit-changes.ts';
import { examineChanges, type Found, newBlobs } from './examine.ts';

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
      const commits = await newCommits(dependencies, request);
      if (commits.length === 0) return [];
      const file = join(dependencies.cacheOf(request.name), 'leaks.json');
      const wanted = createHash('sha256').update(scanner.searchedFor()).digest('hex');
      const known = await readFound(file, wanted);
      const found = await searchAll(git, scanner, commits, known);
      // What could not be searched is told, and looked at again the next time.
      const certain = [...found].filter(([, each]) => each.every((one) => one.certain));
      if (certain.length > 0) await writeFound(file, wanted, new Map([...known, ...certain]));
      return commits.flatMap((commit) =>
        (found.get(commit) ?? known.get(commit) ?? []).map(({ path, detail }): Leak => ({ commit, path, detail })),
      );
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

/** Oldest first. */
async function newCommits(
  { git, branchPrefix }: LeakSearchDependencies,
  { head, without }: CommitSearch,
): Promise<readonly Oid[]> {
  const { stdout } = await git.run([
    'rev-list',
    '--topo-order',
    '--reverse',
    '--ignore-missing',
    head,
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

/** Commits that are not in `known`. */
async function searchAll(
  git: HostGit,
  scanner: SecretScanner,
  commits: readonly Oid[],
  known: ReadonlyMap<Oid, unknown>,
): Promise<ReadonlyMap<Oid, readonly Found[]>> {
  const unknown = commits.filter((commit) => !known.has(commit));
  const found = new Map<Oid, readonly Found[]>();
  if (unknown.length === 0) return found;
  const reader = openObjectReader(git);
  const breathe = breathing();
  try {
    for await (const page of changesOf(git, unknown)) {
      const sizes = await sizesOf(git, newBlobs(page.flatMap(({ files }) => files)));
      for (const { commit, files } of page) {
        await breathe();
        const parent = (await reader.read(`${commit}^1`))?.oid;
        found.set(commit, await examineChanges(scanner, blobsIn(git, reader, sizes, parent), files));
      }
    }
  } finally {
    await reader.close();
  }
  return found;
}
