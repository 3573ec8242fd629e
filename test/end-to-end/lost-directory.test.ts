/** An environment whose directory somebody deleted by hand: its branch has everything that was checkpointed. */
import { readFileSync, rmSync } from 'node:fs';
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
