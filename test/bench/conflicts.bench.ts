/** The conflict matrix of fifty environments on 10,000 files, beside `git merge-tree` of every pair. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'vitest';
import type { EnvironmentName } from '../../src/domain/environment-name.ts';
import { refsOf } from '../../src/domain/ref-layout.ts';
import { parseRefName } from '../../src/domain/ref-name.ts';
import { type Cell, conflictMatrix, type Matrix } from '../../src/environment/conflicts/matrix.ts';
import { mergeOrders } from '../../src/environment/conflicts/order.ts';
import { conflictsSince } from '../../src/environment/conflicts/since.ts';
import { openVerdictCache } from '../../src/environment/conflicts/verdict-cache.ts';
import type { Environment } from '../../src/environment/environment.ts';
import type { Workplace } from '../../src/environment/workplace.ts';
import { openWorkplace } from '../../src/open.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import type { TestRepository } from '../support/repository.ts';
import { bigRepository } from './big-repository.ts';
import { print, timed } from './table.ts';

const count = 50;
const commitsEach = 20;

/** Numbers that repeat from run to run. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Fifty branches of twenty commits, about forty changed files each, some of them where others change lines too. */
function importBranches(made: TestRepository): void {
  const roll = dice(20261122);
  const base = made.git('rev-parse', 'main');
  const stream: string[] = [];
  const pathOf = (index: number) => `d${index % 37}/e${Math.floor(index / 333)}/f${index}.txt`;
  for (let branch = 0; branch < count; branch++) {
    for (let commit = 0; commit < commitsEach; commit++) {
      const when = 1_700_000_100 + branch * 100 + commit;
      stream.push(`commit refs/heads/coppice/b${branch}\ncommitter B <b@example.org> ${when} +0000\ndata 4\nwork\n`);
      if (commit === 0) stream.push(`from ${base}\n`);
      for (let change = 0; change < 2; change++) {
        const index = roll(8) === 0 ? roll(60) : roll(10_000);
        const lines = Array.from({ length: 200 }, () => `line of file ${index}\n`);
        lines[roll(15)] = `changed by ${branch} in ${commit}\n`;
        const content = `file ${index}\n${lines.join('')}`;
        stream.push(`M 100644 inline ${pathOf(index)}\ndata ${content.length}\n${content}`);
      }
    }
  }
  execFileSync('git', ['fast-import', '--quiet'], { cwd: made.path, env: made.env, input: stream.join('') });
}

/** As far as conflicts are concerned an environment is a branch with a base and a target. */
function environmentsOf(made: TestRepository): readonly Environment[] {
  const base = made.git('rev-parse', 'main') as Environment['at']['base'];
  return Array.from({ length: count }, (_, index): Environment => {
    const name = `b${index}` as EnvironmentName;
    const tip = made.git('rev-parse', `coppice/b${index}`) as Environment['at']['tip'];
    const at = { tip, base, head: tip, record: tip, outside: undefined, applied: undefined };
    const record = { name, createdAt: '2026-01-01T00:00:00Z' } as Environment['record'];
    const directories = { root: '', tree: '', git: '', home: '' };
    return { name, record, refs: refsOf(name), directories, at, target: parseRefName('refs/heads/main') };
  });
}

async function open(made: TestRepository): Promise<Workplace> {
  return openWorkplace(surroundingsOf(made.path, made.env), []);
}

it('fifty environments, 10,000 files', async () => {
  const made = bigRepository(10_000);
  importBranches(made);
  let environments = environmentsOf(made);
  const workplace = await open(made);
  const cache = await openVerdictCache(workplace.repository.commonDirectory);
  let matrix: Matrix | undefined;
  const first = await timed(async () => {
    matrix = await conflictMatrix(workplace, environments, cache);
  });
  const conflicting = (cells: readonly Cell[] = []) => cells.filter(({ verdict }) => verdict.kind === 'conflict');
  const found = conflicting(matrix?.cells);
  const since = await timed(() => conflictsSince(workplace, found, cache));
  const order = await timed(async () => matrix && mergeOrders(workplace, matrix));
  const fresh = await open(made);
  const again = await timed(async () =>
    conflictMatrix(fresh, environments, await openVerdictCache(fresh.repository.commonDirectory)),
  );

  const updates: number[] = [];
  let merged = 0;
  for (let round = 0; round < 20; round++) {
    const path = `d${round % 37}/e0/f${round}.txt`;
    const content = `file ${round}\nagain\n`;
    execFileSync('git', ['fast-import', '--quiet'], {
      cwd: made.path,
      env: made.env,
      input: `commit refs/heads/coppice/b${round}\ncommitter B <b@example.org> 1700009000 +0000\ndata 4\nmore\nfrom refs/heads/coppice/b${round}^0\nM 100644 inline ${path}\ndata ${content.length}\n${content}`,
    });
    environments = environmentsOf(made);
    updates.push(
      await timed(async () => {
        merged += (await conflictMatrix(workplace, environments, cache, { again: true })).work.merged;
      }),
    );
  }

  const tips = environmentsOf(made).map(({ at }) => at.tip);
  const pairs = tips.flatMap((ours, index) => tips.slice(index + 1).map((theirs) => [ours, theirs] as const));
  const plainMerge = (ours: string, theirs: string) => {
    try {
      made.git('merge-tree', '--write-tree', ours, theirs);
      return false;
    } catch {
      return true;
    }
  };
  let native = 0;
  const plain = await timed(() => {
    for (const [ours, theirs] of pairs) native += plainMerge(ours, theirs) ? 1 : 0;
  });
  const one = await timed(() => {
    for (const other of tips.slice(1)) plainMerge(tips[0] ?? '', other);
  });
  const last = conflicting((await conflictMatrix(workplace, environments, cache)).cells);
  const among = last.filter(({ ours }) => ours.kind === 'environment').length;
  process.stdout.write(
    `\n${pairs.length} pairs of environments; ${matrix?.work.merged} merged at first, ${merged / updates.length} after a checkpoint; ${among} conflict, git says ${native} (${join(made.path, '.git')})\n`,
  );
  print('first look at 50 environments', [
    { name: 'coppice: the matrix, with files, kinds and lines', milliseconds: [first] },
    { name: 'coppice: since which checkpoints', milliseconds: [since] },
    { name: 'coppice: the order, merged', milliseconds: [order] },
    { name: 'coppice: another process, all remembered', milliseconds: [again] },
    { name: 'git merge-tree, every pair', milliseconds: [plain] },
  ]);
  print('after one checkpoint', [
    { name: 'coppice: the matrix brought up to date', milliseconds: updates },
    { name: 'git merge-tree with each of the others', milliseconds: [one] },
  ]);
  await workplace.close();
  await fresh.close();
});
