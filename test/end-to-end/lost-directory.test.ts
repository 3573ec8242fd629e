/** An environment whose directory somebody deleted by hand: its branch has everything that was checkpointed. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { makeRepository } from '../support/repository.ts';

it('start checks the files out again, though the old sandbox is still there', async () => {
  const cli = coppiceIn(makeRepository());
  onTestFinished(async () => void (await cli.run(['remove', '-f', 'lost'])));
  await cli.json(['create', 'lost', '--runtime', 'sandbox']);
  await cli.json(['exec', 'lost', '--', 'sh', '-c', 'echo work > work.txt']);
  const { worktree } = await cli.json<{ worktree: string }>(['show', 'lost']);
  rmSync(dirname(worktree), { recursive: true });
  await cli.json(['start', 'lost']);
  expect(readFileSync(join(worktree, 'work.txt'), 'utf8')).toBe('work\n');
  const { stdout } = await cli.json<{ stdout: string }>(['exec', 'lost', '--', 'cat', 'work.txt']);
  expect(stdout).toBe('work\n');
});

it('makes git’s registration anew when that was deleted, and says missing when the files are', async () => {
  const repository = makeRepository();
  const cli = coppiceIn(repository);
  onTestFinished(async () => void (await cli.run(['remove', '-f', 'lost'])));
  await cli.json(['create', 'lost', '--runtime', 'sandbox']);
  rmSync(join(repository.path, '.git/worktrees/coppice-lost'), { recursive: true });
  const done = await cli.run(['exec', 'lost', '--', 'sh', '-c', 'echo work > work.txt; exit 3']);
  expect(done).toMatchObject({ status: 3, stderr: '' });
  expect(repository.git('worktree', 'list', '--porcelain')).toMatch(/branch refs\/heads\/coppice\/lost\nlocked/);
  const { worktree } = await cli.json<{ worktree: string }>(['show', 'lost']);
  expect(repository.gitIn(worktree, 'status', '--porcelain')).toBe('');
  rmSync(dirname(worktree), { recursive: true });
  const { environments } = await cli.json<{ environments: { state: string }[] }>(['list']);
  expect(environments).toMatchObject([{ state: 'missing' }]);
});

it('keeps files that nothing vouches for, and checks out beside them', async () => {
  const cli = coppiceIn(makeRepository());
  onTestFinished(async () => void (await cli.run(['remove', '-f', 'lost'])));
  await cli.json(['create', 'lost', '--runtime', 'sandbox']);
  const { worktree } = await cli.json<{ worktree: string }>(['show', 'lost']);
  writeFileSync(join(worktree, 'unsaved.txt'), 'precious\n');
  rmSync(join(dirname(worktree), '.whole'));
  const started = await cli.run(['start', 'lost']);
  expect(started.status).toBe(0);
  const [, left = ''] = /kept at (.*)\.\n/.exec(started.stderr) ?? [];
  expect(readFileSync(join(left, 'tree/unsaved.txt'), 'utf8')).toBe('precious\n');
});
