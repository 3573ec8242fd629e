/** What it costs to integrate many branches, beside `git merge` of one after the other in a checkout. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import type { TestRepository } from '../support/repository.ts';
import { bigRepository } from './big-repository.ts';
import { print, timed } from './table.ts';

const count = 256;
/**
 * As they are after a fetch from colleagues: references only. One in `shared` changes a file that others change too, in
 * lines of its own, so that git itself has to merge.
 */
function addEnvironments(repository: TestRepository, shared: number): void {
  const lines = (changed: number) =>
    Array.from({ length: count * 10 }, (_, line) => `${line === changed ? 'changed' : 'line'} ${line}\n`).join('');
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const who = 'committer B <b@example.org> 1700000100 +0000\n';
  repository.commit('shared', { 'd1/shared.txt': lines(-1) });
  const base = repository.git('rev-parse', 'main');
  const parts: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `e${index}`;
    const record = {
      version: 1,
      name,
      title: null,
      target: 'refs/heads/main',
      branch: `refs/heads/coppice/${name}`,
      createdAt: new Date(1_700_000_000_000 + index * 1000).toISOString(),
      stage: 'ready',
      creator: { host: 'elsewhere', pid: 1, started: '' },
      author: { name: 'B', email: 'b@example.org' },
      spec: { runtime: 'sandbox', image: null, limits: {}, network: 'open', environment: {}, root: false, setup: null },
    };
    const file = `d${index % 37}/e${Math.floor(index / 333)}/f${index}.txt`;
    parts.push(
      `commit refs/heads/coppice/${name}\nmark :${index + 1}\n${who}${data(`Work of ${name}`)}from ${base}\n`,
      `M 100644 inline ${file}\n${data(`changed by ${name}\n`)}`,
      `M 100644 inline d${(index * 7) % 37}/new-${name}.txt\n${data(`${name}\n`)}`,
      index % shared === 0 ? `M 100644 inline d1/shared.txt\n${data(lines(index * 10))}` : '',
      `reset refs/coppice/${name}/base\nfrom ${base}\n\n`,
      `reset refs/coppice/${name}/head\nfrom :${index + 1}\n\n`,
      `commit refs/coppice/${name}/record\n${who}${data('create')}`,
      `M 100644 inline environment.json\n${data(JSON.stringify(record))}`,
    );
  }
  execFileSync('git', ['fast-import', '--quiet'], { cwd: repository.path, env: repository.env, input: parts.join('') });
}

/** `COPPICE_BENCH_SHARED=4`: others. */
const shares = (process.env.COPPICE_BENCH_SHARED ?? '256,16').split(',').map(Number);

it.each(shares)(`${count} branches into one, 10,000 files, one in %i in a file that others change`, async (shared) => {
  const repository = bigRepository(10_000);
  addEnvironments(repository, shared);
  const cli = coppiceIn(repository);
  const clone = join(repository.directory, 'clone');
  repository.git('clone', '-q', '--no-hardlinks', '.', clone);
  const rounds = [0, 1].map(() => ({ land: 0, merge: 0 }));
  const start = repository.git('rev-parse', 'main');
  for (const round of rounds) {
    for (const place of [repository.path, clone]) repository.gitIn(place, 'reset', '-q', '--hard', start);
    round.land = await timed(() => cli.json(['land', '--skip-check']));
    round.merge = await timed(() => {
      for (let index = 0; index < count; index += 1) {
        repository.gitIn(clone, 'merge', '-q', '--no-ff', '--no-edit', `origin/coppice/e${index}`);
      }
    });
  }
  const tree = (place: string) => repository.gitIn(place, 'rev-parse', 'HEAD^{tree}');
  expect(tree(repository.path)).toBe(tree(clone));
  print(`${count} branches into one, 10,000 files, one in ${shared} in a file that others change too`, [
    { name: 'coppice land --skip-check', milliseconds: rounds.map(({ land }) => land) },
    { name: 'git merge, one after the other', milliseconds: rounds.map(({ merge }) => merge) },
  ]);
});
