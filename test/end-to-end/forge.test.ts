/** What only a forge knows: prune asks it, everything else remembers, and nothing that was not merged goes. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type FakePull, fakeForge, json } from '../forge/fake-forge.ts';
import { libraryIn } from '../support/library.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

interface Answer {
  readonly pruned: readonly { readonly name: string; readonly reason: string; readonly trash: string | null }[];
  readonly kept: readonly { readonly name: string; readonly reason: string }[];
  readonly notAsked: readonly { readonly forge: string | null; readonly code: string; readonly reason: string }[];
}

const numbered = (changes: Readonly<Record<number, string>> = {}) =>
  Array.from({ length: 20 }, (_, index) => `${changes[index + 1] ?? `line ${index + 1}`}\n`).join('');

const byName = (all: Answer['kept']) => Object.fromEntries(all.map(({ name, reason }) => [name, reason]));

/** A remote at a forge that the user's git knows for one of GitHub's. */
function atForge(repository: TestRepository, { url, remote }: { readonly url: string; readonly remote: string }): void {
  repository.git('remote', 'add', 'origin', remote);
  repository.git('config', `coppice.${url}.forge`, 'github');
}

it('takes the forge’s word for exactly what was merged, remembers it, and loses nothing', async () => {
  const repository = makeRepository({ files: { 'a.txt': numbered(), 'b.txt': numbered() } });
  const forge = await fakeForge('github');
  atForge(repository, forge);
  const { coppice, inside, create, data } = libraryIn(repository);
  const names = ['edited', 'since', 'open'];
  await create(...names);
  const line = (name: string) => names.indexOf(name) * 5 + 3;
  for (const name of names) await inside(name, `sed -i '${line(name)}s/.*/${name}/' a.txt; git commit -qam ${name}`);
  const tip = (name: string) => repository.git('rev-parse', `coppice/${name}`);
  const pull = (number: number, name: string, rest: Partial<FakePull> = {}): FakePull => ({
    number,
    state: 'merged',
    branch: `coppice/${name}`,
    commits: [tip(name)],
    ...rest,
  });
  // Squashed on the forge, with the very lines written anew in the merge: nothing here tells that it is in.
  repository.commit('Squash of edited (#1)', {
    'a.txt': numbered({ [line('edited')]: 'edited, and then edited again' }),
  });
  forge.pulls = [
    pull(1, 'edited', { mergeCommit: repository.git('rev-parse', 'HEAD') }),
    pull(2, 'since'),
    pull(3, 'open', { state: 'open' }),
  ];
  const head = tip('edited');

  const merged = async () =>
    Object.fromEntries((await coppice.list()).environments.map(({ name, merged }) => [name, merged]));
  // It conflicts, and nobody has looked further.
  expect(await merged()).toMatchObject({ edited: null, since: 'unmerged' });
  expect(forge.asked).toEqual([]);
  const without = (await coppice.prune({ noForge: true })) as Answer;
  expect(without.pruned).toEqual([]);
  await expect(coppice.remove({ name: 'edited' })).rejects.toMatchObject({ code: 'unmerged-work' });
  expect(forge.asked).toEqual([]);

  const dry = (await coppice.prune({ dryRun: true, names: ['edited'] })) as Answer;
  expect(dry.pruned).toMatchObject([
    { name: 'edited', reason: 'merged into main as #1 (https://forge.example/team/project/pull/1)' },
  ]);
  expect((await merged()).edited).not.toBe('merged');

  // Written after the last look at the files of that environment: the forge is asked about what git knows until then.
  writeFileSync(join(data(), 'since/tree/b.txt'), 'since\n');
  const { pruned, kept, notAsked } = (await coppice.prune({})) as Answer;
  expect(notAsked).toEqual([]);
  expect(pruned.map(({ name, trash }) => [name, trash !== null])).toEqual([['edited', true]]);
  expect(byName(kept)).toEqual({
    open: 'it has work that is not in main: #3 is open',
    since: 'it has work that is not in main: it has changed since #2 was merged',
  });
  await coppice.restore({ name: 'edited' });
  expect(tip('edited')).toBe(head);
  expect(readFileSync(join(data(), 'edited/tree/a.txt'), 'utf8')).toBe(numbered({ [line('edited')]: 'edited' }));

  // From now on it is known without anybody being asked, and without any cache.
  rmSync(join(repository.path, '.git/coppice'), { recursive: true });
  const asked = forge.asked.length;
  forge.instead = (_, response) => {
    json(response, 500, {});
    return true;
  };
  expect(await merged()).toMatchObject({ edited: 'merged', since: 'unmerged' });
  expect(await coppice.show({ name: 'edited' })).toMatchObject({
    merged: 'merged',
    mergedBy: 'forge',
    pullRequest: { reference: '#1', behind: false },
  });
  await coppice.remove({ name: 'edited' });
  expect(forge.asked).toHaveLength(asked);
  repository.git('fsck', '--strict', '--no-dangling');
});

it('goes by git alone where the forge does not answer, and says so', async () => {
  const repository = makeRepository({ files: { 'a.txt': numbered() } });
  const forge = await fakeForge('github');
  atForge(repository, forge);
  const { coppice, cli, inside, create } = libraryIn(repository);
  await create('in', 'out');
  await inside('in', 'echo in > in.txt; git add .; git commit -qm in');
  await inside('out', 'echo out > out.txt; git add .; git commit -qm out');
  await coppice.merge({ name: 'in' });
  forge.pulls = [
    { number: 1, state: 'merged', branch: 'coppice/out', commits: [repository.git('rev-parse', 'coppice/out')] },
  ];
  forge.instead = (_, response) => {
    json(response, 429, {}, { 'retry-after': 'Tue, 01 Jan 2030 00:00:00 GMT' });
    return true;
  };
  const { stdout, stderr } = await cli.run(['prune', '--dry-run']);
  expect(stderr).toContain('asking 127.0.0.1:');
  expect(stdout).toContain('/team/project takes no more questions until 2030-01-01T00:00:00.000Z.');
  expect(stdout).toContain('judged by git alone');
  const first = (await coppice.prune({})) as Answer;
  expect(first.pruned.map(({ name }) => name)).toEqual(['in']);
  expect(first.notAsked).toMatchObject([{ code: 'forge-rate-limited' }]);
  forge.instead = undefined;
  // Merged there, and not pulled here.
  const { pruned } = (await coppice.prune({})) as Answer;
  expect(pruned).toMatchObject([
    { name: 'out', reason: expect.stringMatching(/^merged into main as #1 .*not pulled yet$/) },
  ]);
  await coppice.restore({ name: 'out' });
  expect((await cli.run(['list'])).stdout).toContain('(merged as #1)');
});
