/** An agent writes keys beside its work: the work is on the branch, the keys are nowhere in the repository, and not lost. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { awsEnvironment, awsSecret, githubToken } from '../git/checkpoint/secrets/made-up.ts';
import type { TestRepository } from '../support/repository.ts';
import { type Ground, sceneOn } from './main-path.ts';

const sandbox: Ground = {
  name: 'the sandbox',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

interface Status {
  readonly held: readonly { readonly path: string; readonly reason: string; readonly detail: string }[];
}

/** Arrives by standard input, as no command line should have it. */
const takeEnv = "cat > .env; mkdir -p src; echo 'export {};' > src/app.ts; echo notes > notes.md";

function allObjects(repository: TestRepository): string {
  return execFileSync('git', ['cat-file', '--batch-all-objects', '--batch', '--unordered'], {
    cwd: repository.path,
    env: repository.env,
    maxBuffer: 2 ** 28,
  }).toString('latin1');
}

it('what an agent writes goes to the branch without the keys; remove and restore give them back', async () => {
  const { repository, cli, create } = sceneOn(sandbox);
  const { worktree } = await create('one');
  const wrote = await cli.run(['exec', 'one', '--', 'sh', '-c', takeEnv], { input: awsEnvironment });
  expect(wrote).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/held .*\.env .*AWS secret access key \(line 2\)/),
  });
  expect(repository.git('ls-tree', '-r', '--name-only', 'coppice/one').split('\n')).toEqual([
    'README.md',
    'notes.md',
    'src/app.ts',
  ]);
  const held = [{ path: '.env', reason: 'secret', detail: 'looks like an AWS secret access key (line 2)' }];
  expect((await cli.json<Status & Record<string, unknown>>(['status', 'one'])).held).toEqual(held);
  await cli.json(['commit', 'one', '-m', 'Work']);
  expect(repository.git('ls-tree', '-r', '--name-only', 'coppice/one')).not.toContain('.env');
  expect(allObjects(repository)).toContain('export {};');
  expect(allObjects(repository)).not.toContain(awsSecret);

  const refused = await cli.run(['remove', 'one']);
  expect(refused.status).toBe(6);
  await cli.json(['remove', '--force', 'one']);
  expect(existsSync(worktree)).toBe(false);
  await cli.json(['restore', 'one']);
  expect(readFileSync(join(worktree, '.env'), 'utf8')).toBe(awsEnvironment);
  expect((await cli.json<Status & Record<string, unknown>>(['status', 'one'])).held).toEqual(held);

  await cli.run(['exec', 'one', '--', 'sh', '-c', 'echo "# no keys" > .env']);
  expect((await cli.json<Status & Record<string, unknown>>(['status', 'one'])).held).toEqual([]);
  expect(repository.git('show', 'coppice/one:.env')).toBe('# no keys');
});

it('paths allowed by the repository go in, by the user’s settings at once, a key that was there may be changed', async () => {
  const { repository, cli, create } = sceneOn(sandbox, {
    '.coppice/environment.json': '{ "hold": { "allow": ["test/keys/"] } }',
    'docs/token.md': `${githubToken}\n`,
  });
  await create('one');
  const script =
    'mkdir -p test/keys; cat > test/keys/a; (echo mine; cat test/keys/a) > other; echo more >> docs/token.md';
  await cli.run(['exec', 'one', '--', 'sh', '-c', script], { input: awsEnvironment });
  const before = await cli.json<Status & Record<string, unknown>>(['status', 'one']);
  expect(before.held.map(({ path }) => path)).toEqual(['other']);
  expect(repository.git('show', 'coppice/one:docs/token.md')).toBe(`${githubToken}\nmore`);
  expect(repository.git('show', 'coppice/one:test/keys/a')).toContain(awsSecret);
  const config = join(repository.home, '.config/coppice');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'config.json'), JSON.stringify({ daemon: 'off', hold: { allow: ['/other'] } }));
  expect((await cli.json<Status & Record<string, unknown>>(['status', 'one'])).held).toEqual([]);
  expect(repository.git('show', 'coppice/one:other')).toContain(awsSecret);
});

const commitKey = 'cat > deploy.env; echo work > work.md; git add -A; git commit -qm Work';

interface Leaks {
  readonly leaks: readonly { readonly commit: string; readonly path: string; readonly detail: string }[];
}

it('a key in a commit of the agent is kept and told, and leaves by no door until it is out of it or allowed', async () => {
  const { repository, cli, create } = sceneOn(sandbox);
  await create('one');
  const wrote = await cli.run(['exec', 'one', '--', 'sh', '-c', commitKey], { input: awsEnvironment });
  expect(wrote).toMatchObject({ status: 0, stderr: expect.stringMatching(/deploy\.env in commit \w+ .*\(line 2\)/) });
  expect((await cli.run(['exec', 'one', '--', 'true'])).stderr).toBe(
    '  held as before: 1 (`coppice status one` lists them)\n',
  );
  const commit = repository.git('rev-parse', 'coppice/one');
  const leaks = [{ commit, path: 'deploy.env', detail: 'looks like an AWS secret access key (line 2)' }];
  for (const command of ['status', 'log', 'show']) {
    expect((await cli.json<Leaks & Record<string, unknown>>([command, 'one'])).leaks).toEqual(leaks);
  }
  const before = repository.git('for-each-ref');
  for (const hand of [['merge'], ['merge', '--squash'], ['merge', '--ff-only'], ['apply']]) {
    const refused = await cli.run([...hand, 'one']);
    expect(refused).toMatchObject({ status: 6, stderr: expect.stringContaining('deploy.env') });
    expect(refused.stderr).not.toContain(awsSecret);
  }
  expect(repository.git('for-each-ref')).toBe(before);
  expect(repository.git('status', '--porcelain')).toBe('');

  await cli.run(['exec', 'one', '--', 'sh', '-c', 'git rm -q deploy.env && git commit -qm Oops']);
  expect((await cli.run(['merge', 'one'])).status).toBe(6);
  await cli.json(['merge', '--squash', 'one']);
  expect(repository.git('log', '-p', 'main')).not.toContain(awsSecret);

  await cli.run(['exec', 'one', '--', 'sh', '-c', 'git reset -q --soft HEAD~2 && git commit -qm Again']);
  expect(await cli.json(['status', 'one'])).toMatchObject({ leaks: [], held: [] });
  await cli.json(['merge', 'one']);
  expect(repository.git('log', '-p', 'main')).not.toContain(awsSecret);
});

it('a token in a commit’s message stays inside; what another branch or a rewrite keeps is told by `status`', async () => {
  const { repository, cli, create } = sceneOn(sandbox);
  await create('one');
  const commit = 'git switch -qc side; echo 1 > w; git add w; git commit -qF -; git switch -q coppice/one';
  await cli.run(['exec', 'one', '--', 'sh', '-c', commit], { input: `Side, with ${githubToken}` });
  const side = repository.git('rev-parse', 'refs/coppice/one/heads/side');
  const detail = 'its message looks like a GitHub token (line 1)';
  const told = { commit: side, path: null, detail, ref: 'refs/coppice/one/heads/side' };
  expect(await cli.json(['status', 'one'])).toMatchObject({ leaks: [], leaksElsewhere: [told] });
  expect((await cli.run(['status', 'one'])).stdout).toMatch(/secret\? commit \w+, kept by refs\S+side .*its message/);

  await cli.run(['exec', 'one', '--', 'git', 'merge', '-q', '--ff-only', 'side']);
  expect(await cli.json(['status', 'one'])).toMatchObject({
    leaks: [{ commit: side, path: null, detail }],
    leaksElsewhere: [],
  });
  const before = repository.git('for-each-ref');
  for (const hand of [['merge'], ['merge', '--squash'], ['merge', '--rebase'], ['land', '--skip-check']]) {
    const refused = await cli.run([...hand, 'one']);
    expect(refused.status, hand.join(' ')).toBe(6);
    expect(refused.stdout + refused.stderr).toContain(side.slice(0, 7));
    expect(refused.stdout + refused.stderr).not.toContain(githubToken);
  }
  expect(repository.git('for-each-ref')).toBe(before);
  await cli.json(['merge', 'one', '--squash', '-m', 'Said otherwise']);
  expect(repository.git('log', 'main')).not.toContain(githubToken);

  await cli.run(['exec', 'one', '--', 'sh', '-c', 'git branch -qD side; git commit -q --amend -m Side']);
  const after = await cli.json<Record<string, unknown>>(['status', 'one']);
  const kept = { ...told, ref: expect.stringMatching('^refs/coppice/one/tails/') };
  expect(after).toMatchObject({ leaks: [], leaksElsewhere: [kept] });
  await cli.run(['exec', 'one', '--', 'sh', '-c', 'cat > w; git stash -q'], { input: githubToken });
  const stashed = await cli.json<{ leaksElsewhere: { path: string; ref: string }[] }>(['status', 'one']);
  expect(stashed.leaksElsewhere.map(({ path, ref }) => `${path} ${ref.split('/').slice(3, 4)}`)).toContain('w stashes');
});

it('--allow-secrets hands it on all the same', async () => {
  const { repository, cli, create } = sceneOn(sandbox);
  await create('one');
  await cli.run(['exec', 'one', '--', 'sh', '-c', commitKey], { input: awsEnvironment });
  await cli.json(['merge', 'one', '--allow-secrets']);
  expect(repository.git('show', 'main:deploy.env')).toContain(awsSecret);
  expect(await cli.json(['status', 'one'])).toMatchObject({ leaks: [] });
});

it('changes carried along leave a key in the checkout, and say so', async () => {
  const { repository, cli } = sceneOn(sandbox);
  repository.write({ 'deploy.env': awsEnvironment, 'work.md': 'work\n' });
  const made = await cli.run(['create', 'one', '--runtime', 'sandbox', '--with-changes']);
  expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/not carried along.*\n.*deploy\.env/) });
  expect(repository.git('ls-tree', '-r', '--name-only', 'coppice/one').split('\n')).toEqual(['README.md', 'work.md']);
  expect(allObjects(repository)).not.toContain(awsSecret);
  expect(readFileSync(join(repository.path, 'deploy.env'), 'utf8')).toBe(awsEnvironment);
});
