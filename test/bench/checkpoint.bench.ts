/** How soon a written file is on the branch, and what one checkpoint costs, by the size of the repository. */
import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { it, onTestFinished } from 'vitest';
import type { BytePath } from '../../src/domain/byte-path.ts';
import { parseEnvironmentName } from '../../src/domain/environment-name.ts';
import { parseRefName } from '../../src/domain/ref-name.ts';
import { openCheckpointer } from '../../src/git/checkpoint/open-checkpointer.ts';
import type { Checkpointer } from '../../src/git/checkpointer.ts';
import { defaultHoldLimits } from '../../src/git/checkpointer.ts';
import { hostGit } from '../../src/git/host-git.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { coppiceIn } from '../support/coppice.ts';
import type { TestRepository } from '../support/repository.ts';
import { bigRepository } from './big-repository.ts';
import { inTurns, median, print, timed } from './table.ts';

/** Milliseconds from the write until `changed` says so. */
async function until(write: () => void, changed: () => boolean): Promise<number> {
  const begun = performance.now();
  write();
  while (!changed()) await new Promise((next) => setTimeout(next, 1));
  return performance.now() - begun;
}

const sizes = (process.env.COPPICE_BENCH_SIZES ?? '1000,10000,100000').split(',').map(Number);
const file = 'd1/e0/f1.txt' as BytePath;
interface Scene {
  readonly files: number;
  readonly repository: TestRepository;
  readonly tree: string;
  readonly checkpointer: Checkpointer;
}

it('write → commit', async () => {
  const scenes: Scene[] = [];
  for (const files of sizes) scenes.push(await setUp(files));
  await besideGit(scenes);
});

/** Measures through the daemon first. */
async function setUp(files: number): Promise<Scene> {
  const repository = bigRepository(files);
  const cli = coppiceIn(repository, { settings: { daemon: 'auto' } });
  onTestFinished(async () => {
    await cli.run(['remove', '-f', 'bench']);
    await cli.run(['daemon', 'stop']);
  });
  const made = await cli.json<{ environments: { worktree: string }[] }>(['create', 'bench', '--runtime', 'sandbox']);
  const tree = made.environments[0]?.worktree ?? '';
  const milliseconds = await throughTheDaemon(repository, tree);
  await cli.run(['daemon', 'stop']);
  print(`write → commit, ${files} files, 150 ms of quiet included`, [{ name: 'coppice', milliseconds }]);
  const checkpointer = await inProcess(repository, tree);
  onTestFinished(() => checkpointer.close());
  return { files, repository, tree, checkpointer };
}

/** All sizes in turns: a machine that others use slows all of them alike. */
async function besideGit(scenes: readonly Scene[]): Promise<void> {
  let round = 0;
  const contenders = scenes.flatMap(({ files, tree, checkpointer }) => [
    [
      `one checkpoint, 1 of ${files} files changed`,
      () => {
        appendFileSync(join(tree, file), `${round++}\n`);
        return checkpointer.checkpoint({ cause: 'edit', paths: [file] });
      },
    ],
    [
      `one checkpoint, 100 of ${files} files changed`,
      () => {
        const paths = Array.from({ length: 100 }, (_, index) => `d${index % 37}/e0/many${index}.txt` as BytePath);
        for (const path of paths) writeFileSync(join(tree, path), `${path} ${round}\n`);
        round++;
        return checkpointer.checkpoint({ cause: 'edit', paths });
      },
    ],
    [`a look at all of ${files} files`, () => checkpointer.checkpoint({ cause: 'reconcile' })],
  ]);
  const plain = scenes.map(({ files, repository }) => [
    `git add -A && git commit, 1 of ${files} files changed`,
    () => {
      appendFileSync(join(repository.path, file), 'x\n');
      repository.git('add', '-A');
      repository.git('commit', '-q', '-m', 'x');
    },
  ]);
  const floor = ['the bare floor: a file written and synced', () => writeSynced(join(scenes[0]?.tree ?? '', file))];
  const all = await inTurns(11, Object.fromEntries([...contenders, floor, ...plain]));
  print('one checkpoint', all);
  const of = (start: string) => median(all.find(({ name }) => name.startsWith(start))?.milliseconds ?? []);
  const [least, most] = [sizes[0], sizes.at(-1)];
  const engine = (files = 0) => of(`one checkpoint, 1 of ${files} `);
  process.stdout.write(
    `\none checkpoint at ${most} files: ${(engine(most) / engine(least)).toFixed(1)} × that at ${least} (target: at most 2 ×); ` +
      `${(of(`git add -A && git commit, 1 of ${most} `) / engine(most)).toFixed(0)} × as fast as git add -A && git commit (target: at least 50 ×)\n`,
  );
}

async function throughTheDaemon(repository: TestRepository, tree: string): Promise<readonly number[]> {
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
        () => appendFileSync(join(tree, file), `${round}\n`),
        () => tip() !== before,
      ),
    );
  }
  return milliseconds;
}

/** What the daemon calls, called from here: without waiting for events and for quiet. */
async function inProcess(repository: TestRepository, tree: string): Promise<Checkpointer> {
  const common = join(repository.path, '.git');
  const name = parseEnvironmentName('bench');
  const checkpointer = await openCheckpointer(
    {
      name,
      tree,
      branch: parseRefName('refs/heads/coppice/bench'),
      author: { name: 'Bench', email: 'bench@example.org' },
      cache: join(common, 'coppice/environments/bench/stat-cache'),
      registration: join(common, 'worktrees/coppice-bench'),
      limits: defaultHoldLimits,
      secrets: { allow: [], patterns: 'on', fingerprints: '/nonexistent' },
    },
    { git: hostGit(common, surroundingsOf(repository.path, repository.env)), objectFormat: 'sha1' },
  );
  const first = await timed(() => checkpointer.checkpoint({ cause: 'reconcile' }));
  process.stdout.write(`the first look at all files of a process: ${first.toFixed(0)} ms\n`);
  return checkpointer;
}

function writeSynced(path: string): void {
  const descriptor = openSync(path, 'a');
  writeSync(descriptor, 'x\n');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
