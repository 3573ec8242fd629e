/** What is left out is said everywhere and kept; what nobody worded is worded; what goes wrong says the way out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Cli } from '../support/coppice.ts';
import { type Ground, sceneOn } from './main-path.ts';

const sandbox: Ground = {
  name: 'the sandbox',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

const hintOf = async (cli: Cli, args: readonly string[], allow: number) => {
  const { error } = await cli.json<{ error: { code: string; hint: string } }>(args, { allow: [allow] });
  return error;
};

it('held files, by the repository’s own limits: in exec, status and log alike, and back after remove and restore', async () => {
  const { repository, cli, create } = sceneOn(sandbox, {
    '.coppice/environment.json': '{ "hold": { "fileBytes": 1000 } }',
    pipe: 'recorded\n',
  });
  const { worktree } = await create('one');
  const script = 'head -c 2000 /dev/zero > big; echo small > small; rm pipe; mkfifo pipe';
  const wrote = await cli.run(['exec', 'one', '--', 'sh', '-c', script]);
  expect(wrote.stderr).toMatch(/held big .*over the limit.*\n.*held pipe .*taken its place/);
  expect((await cli.run(['exec', 'one', '--', 'true'])).stderr).toContain('held as before: 2');
  const held = [
    { path: 'big', reason: 'too-large', detail: expect.stringContaining('over the limit') },
    { path: 'pipe', reason: 'unreadable', detail: expect.any(String) },
  ];
  for (const command of ['status', 'log']) expect(await cli.json([command, 'one'])).toMatchObject({ held });
  expect((await cli.run(['log', 'one'])).stdout).toContain('held big');
  expect(repository.git('show', 'coppice/one:pipe')).toBe('recorded');
  await cli.json(['remove', '-f', 'one']);
  await cli.json(['restore', 'one']);
  expect(readFileSync(join(worktree, 'big')).length).toBe(2000);
  expect(readFileSync(join(worktree, 'small'), 'utf8')).toBe('small\n');
});

it('a commit without a message says what changed and why, but no command line with a token', async () => {
  const { repository, cli, create } = sceneOn(sandbox);
  await create('one');
  const token = `gh${'p'}_${'A1b2C3d4E5f6G7h8J9k0'.repeat(2).slice(0, 36)}`;
  await cli.run(['exec', 'one', '--', 'sh', '-c', 'echo a > a.txt']);
  await cli.run(['exec', 'one', '--', 'sh', '-c', `: ${token}; echo b > b.txt`]);
  const answer = await cli.json<{ subject: string; composed: boolean }>(['commit', 'one']);
  expect(answer).toMatchObject({ subject: 'a.txt, b.txt', composed: true });
  const message = repository.git('log', '-1', '--format=%B', 'coppice/one');
  expect(message).toContain('* add a.txt: +1 −0\n* add b.txt: +1 −0\n\nCaused by:\n* exec sh -c');
  expect(message).toContain('secret');
  expect(message).not.toContain(token);
  expect((await hintOf(cli, ['commit', 'one', '-m', ' '], 2)).code).toBe('empty-message');
});

it('slips are answered with the way out', async () => {
  const { repository, cli, create } = sceneOn(sandbox);
  const { worktree } = await create('one');
  expect((await hintOf(cli, ['exec', 'one', 'ls', '-la'], 2)).hint).toBe('coppice exec one -- ls -la');
  const unknown = await hintOf(cli, ['exec', '--tiemout', '5', 'one'], 2);
  expect(unknown).toMatchObject({ code: 'unknown-option', hint: expect.stringContaining('--help') });
  await cli.run(['exec', 'one', '--', 'sh', '-c', 'echo more >> README.md; echo x > new.txt']);
  await cli.json(['apply', 'one']);
  const refused = await cli.run(['merge', 'one']);
  expect(refused).toMatchObject({ status: 6, stderr: expect.stringContaining('coppice apply one') });
  expect(refused.stderr.match(/new\.txt/g)).toHaveLength(1);
  repository.git('stash', '-q', '-u');
  await cli.json(['merge', 'one']);

  repository.git('update-ref', '-d', 'refs/coppice/one/record');
  const found = await cli.run(['doctor']);
  expect(found.stdout).toContain('one has lost its record');
  expect(found.stdout).not.toContain('delete it by hand');
  await cli.run(['doctor', '--fix']);
  expect(await cli.json(['show', 'one'])).toMatchObject({ name: 'one', worktree, state: 'running' });
  const away = await cli.run(['doctor'], { cwd: repository.home });
  expect(away).toMatchObject({ status: 0, stdout: expect.stringContaining('is in no git repository') });
});
