/** How soon a written file is on the branch, and what one checkpoint costs, by the size of the repository. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, onTestFinished } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { bigRepository } from './big-repository.ts';
import { inTurns, print, type Series } from './table.ts';

/** Milliseconds from the write until `changed` says so. */
async function until(write: () => void, changed: () => boolean): Promise<number> {
  const begun = performance.now();
  write();
  while (!changed()) await new Promise((next) => setTimeout(next, 1));
  return performance.now() - begun;
}

const sizes = (process.env.COPPICE_BENCH_SIZES ?? '1000,10000').split(',').map(Number);

it.each(sizes)('write → commit with %i files', async (files) => {
  const repository = bigRepository(files);
  const cli = coppiceIn(repository, { settings: { daemon: 'auto' } });
  onTestFinished(async () => {
    await cli.run(['remove', '-f', 'bench']);
    await cli.run(['daemon', 'stop']);
  });
  const made = await cli.json<{ environments: { worktree: string }[] }>(['create', 'bench', '--runtime', 'sandbox']);
  const tree = made.environments[0]?.worktree ?? '';
  const ref = join(repository.path, '.git/refs/heads/coppice/bench');
  const tip = () => readFileSync(ref, 'latin1');
  // The daemon may still be putting up its watches.
  await until(
    () => writeFileSync(join(tree, 'warm.txt'), 'x'),
    () => tip() !== `${repository.git('rev-parse', 'main')}\n`,
  );
  const milliseconds: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    const before = tip();
    milliseconds.push(
      await until(
        () => appendFileSync(join(tree, 'd1/e0/f1.txt'), `${round}\n`),
        () => tip() !== before,
      ),
    );
  }
  const plain = await inTurns(5, {
    'git add -A && git commit': () => {
      appendFileSync(join(repository.path, 'd1/e0/f1.txt'), 'x\n');
      repository.git('add', '-A');
      repository.git('commit', '-q', '-m', 'x');
    },
  });
  const engine: Series = {
    name: 'coppice, without the 150 ms of quiet',
    milliseconds: milliseconds.map((each) => Math.max(0, each - 150)),
  };
  print(`write → commit, ${files} files`, [
    { name: 'coppice: written → on the branch', milliseconds },
    engine,
    ...plain,
  ]);
});
