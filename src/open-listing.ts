/**
 * The environments of a repository for somebody who asks every few seconds: git is asked again only when their references
 * may have changed. An idle daemon would spend more on asking than on everything else.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from './environment/environment.ts';
import { listEnvironments } from './environment/find.ts';
import type { Workplace } from './environment/workplace.ts';
import { ifPresent } from './platform/errno.ts';

/** Milliseconds: a change within the same tick of the clock would not show. */
const tooFresh = 100;

export function environmentsOf(workplace: Workplace): () => Promise<readonly Environment[]> {
  let known: { readonly stamp: string; readonly environments: readonly Environment[] } | undefined;
  return async () => {
    const asked = Date.now();
    const { stamp, newest } = await stampOfReferences(workplace.repository.commonDirectory);
    if (known?.stamp === stamp) return known.environments;
    const environments = await listEnvironments(workplace);
    known = newest < asked - tooFresh ? { stamp, environments } : undefined;
    return environments;
  };
}

/** Every write of a reference renames a file into its directory, into `packed-refs`, or into the list of reftables. */
async function stampOfReferences(commonDirectory: string) {
  const coppice = join(commonDirectory, 'refs/coppice');
  const names = (await ifPresent(readdir(coppice))) ?? [];
  const places = [
    join(commonDirectory, 'packed-refs'),
    join(commonDirectory, 'reftable/tables.list'),
    coppice,
    ...names.map((name) => join(coppice, name)),
  ];
  const found = await Promise.all(places.map((place) => ifPresent(stat(place))));
  const stamp = found.map((one) => (one === undefined ? '' : `${one.ino} ${one.size} ${one.mtimeMs} ${one.ctimeMs}`));
  return { stamp: stamp.join('\n'), newest: Math.max(0, ...found.map((one) => one?.ctimeMs ?? 0)) };
}
