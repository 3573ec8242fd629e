/** Conflicts between environments are told while they form: where, since when, and what merges cleanly together all the same. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { eventually } from '../support/eventually.ts';
import { makeRepository } from '../support/repository.ts';

const numbers = (change: Readonly<Record<number, string>> = {}) =>
  Array.from({ length: 40 }, (_, index) => `${change[index + 1] ?? index + 1}\n`).join('');

interface Answer {
  readonly environments: readonly { readonly name: string }[];
  readonly settled: readonly string[];
  readonly pairs: number;
  readonly conflicts: readonly {
    readonly ours: { readonly name: string; readonly since: { readonly oid: string } | null };
    readonly theirs: { readonly name: string; readonly since: { readonly oid: string } | null };
    readonly files: readonly unknown[];
  }[];
  readonly order: readonly { readonly clean: readonly string[]; readonly blocked: readonly unknown[] }[] | null;
}

async function environments(count: number, settings: Readonly<Record<string, unknown>> = {}) {
  const repository = makeRepository({ files: { f: numbers(), g: numbers() } });
  const cli = coppiceIn(repository, { settings });
  await cli.json(['create', 'e', '--count', String(count), '--runtime', 'sandbox']);
  const listed = await cli.json<{ environments: { name: string; worktree: string }[] }>(['list']);
  const trees = new Map(listed.environments.map(({ name, worktree }) => [name, worktree]));
  onTestFinished(async () => {
    for (const name of trees.keys()) await cli.run(['remove', '-f', name]);
  });
  return {
    repository,
    cli,
    write: (name: string, path: string, text: string) => writeFileSync(join(trees.get(name) ?? '', path), text),
    tip: (name: string) => repository.git('rev-parse', `coppice/${name}`),
    /** Conflicts are its exit status. */
    ask: (...args: readonly string[]) => cli.json<Answer>(['conflicts', ...args], { allow: [0, 4] }),
  };
}

const pairsOf = ({ conflicts }: Pick<Answer, 'conflicts'>) =>
  conflicts.map(({ ours, theirs }) => `${theirs.name} into ${ours.name}`);

it('tells who conflicts with whom, where and since when, and what merges cleanly in which order', async () => {
  const { repository, cli, write, tip, ask } = await environments(4);
  const nothing = await ask();
  expect(nothing).toMatchObject({ conflicts: [], settled: ['e-1', 'e-2', 'e-3', 'e-4'], pairs: 0 });

  write('e-1', 'f', numbers({ 5: 'by one' }));
  await cli.json(['checkpoint', 'e-1']);
  const first = tip('e-1');
  write('e-1', 'other', 'something else\n');
  await cli.json(['checkpoint', 'e-1']);
  write('e-2', 'f', numbers({ 5: 'by two\nof two lines', 20: 'by two' }));
  write('e-3', 'f', numbers({ 20: 'by three' }));
  write('e-4', 'g', numbers({ 1: 'by four' }));
  const found = await ask();
  expect(pairsOf(found)).toEqual(['e-2 into e-1', 'e-3 into e-2']);
  expect(found.conflicts[0]).toMatchObject({
    ours: { since: { oid: first } },
    theirs: { since: { oid: tip('e-2') } },
    files: [{ path: 'f', kind: 'content', regions: [{ ours: { from: 5, lines: 1 }, theirs: { from: 5, lines: 2 } }] }],
  });
  expect((await cli.run(['conflicts', 'e-4'])).status).toBe(0);
  expect(pairsOf(await ask('e-3'))).toEqual(['e-3 into e-2']);

  repository.commit('the target moves', { g: numbers({ 1: 'by the target' }) });
  const { order, ...again } = await ask('--order');
  expect(pairsOf(again)).toEqual(['e-4 into main', 'e-2 into e-1', 'e-3 into e-2']);
  expect(order).toEqual([
    {
      target: 'main',
      clean: ['e-1', 'e-3'],
      blocked: [
        { name: 'e-2', by: ['e-1', 'e-3'] },
        { name: 'e-4', by: ['main'] },
      ],
      largest: true,
    },
  ]);

  // Without anything remembered the answer is the same, and what was squashed in is no conflict with itself.
  rmSync(join(repository.path, '.git/coppice/conflicts'), { recursive: true });
  expect(pairsOf(await ask())).toEqual(pairsOf(again));
  await cli.json(['merge', 'e-1', '--squash']);
  write('e-1', 'f', numbers({ 5: 'by one again' }));
  expect(pairsOf(await ask('e-1'))).toEqual(['e-2 into e-1']);
});

it('streams what begins and what ends', async () => {
  const { cli, write } = await environments(2);
  write('e-1', 'f', numbers({ 5: 'by one' }));
  await cli.json(['checkpoint', 'e-1']);
  const child = cli.start(['conflicts', '--watch', '--json']);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  let narration = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    narration += chunk.toString();
  });
  const events = () =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { state: string; theirs: { name: string }; files: { path: string }[] });
  await eventually(() => narration.includes('watching'));
  write('e-2', 'f', numbers({ 5: 'by two' }));
  await cli.json(['checkpoint', 'e-2']);
  await eventually(() => events().length > 0);
  expect(events()).toMatchObject([{ state: 'begun', theirs: { name: 'e-2' }, files: [{ path: 'f' }] }]);
  write('e-2', 'f', numbers());
  await cli.json(['checkpoint', 'e-2']);
  await eventually(() => events().length > 1);
  expect(events()[1]).toMatchObject({ state: 'ended', theirs: { name: 'e-2' } });
});

it('tells those who watch, and lists what is remembered', async () => {
  const { cli, write } = await environments(2, { daemon: 'auto' });
  onTestFinished(async () => void (await cli.run(['daemon', 'stop'])));
  const child = cli.start(['watch', '--json']);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const told = (type: string) =>
    text
      .split('\n')
      .filter((line) => line.includes(`"type":"${type}"`))
      .map((line) => JSON.parse(line) as { name: string });
  let narration = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    narration += chunk.toString();
  });
  await eventually(() => narration.includes('watching'));
  write('e-1', 'f', numbers({ 5: 'by one' }));
  await eventually(() => told('checkpoint').some(({ name }) => name === 'e-1'));
  write('e-2', 'f', numbers({ 5: 'by two' }));
  await eventually(() => told('conflict').length > 0);
  const about = { name: 'e-2', with: { kind: 'environment', name: 'e-1' } };
  expect(told('conflict')[0]).toMatchObject({ ...about, state: 'begun', files: [{ path: 'f', kind: 'content' }] });
  const { environments: listed } = await cli.json<{ environments: { conflicts: unknown }[] }>(['list']);
  expect(listed.map(({ conflicts }) => conflicts)).toEqual([
    { with: ['e-2'], complete: true },
    { with: ['e-1'], complete: true },
  ]);
  expect((await cli.run(['status', 'e-1'])).stdout).toContain('conflicts with e-2');
  write('e-2', 'f', numbers());
  await eventually(() => told('conflict').length > 1);
  expect(told('conflict')[1]).toMatchObject({ ...about, state: 'ended' });
});
