/** The contract of the command line: help, exit statuses, JSON, errors with a way out. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { operationNames } from '../../src/operations/catalog.ts';
import { version } from '../../src/version.ts';
import { coppiceIn } from '../support/coppice.ts';
import { makeRepository, temporaryDirectory } from '../support/repository.ts';

function setUp() {
  const repository = makeRepository();
  const cli = coppiceIn(repository);
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    for (const { name } of environments) await cli.run(['remove', '-f', name]);
  });
  return { repository, cli };
}

interface Failure {
  readonly schema: string;
  readonly error: { readonly code: string; readonly kind: string; readonly message: string; readonly hint: string };
}

describe('help', () => {
  it('lists every command, and each explains itself', async () => {
    const { cli } = setUp();
    const { stdout, status } = await cli.run(['--help']);
    expect(status).toBe(0);
    for (const name of operationNames) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    const own = await cli.run(['create', '--help']);
    expect(own).toMatchObject({ status: 0, stderr: '' });
    expect(own.stdout).toContain('--with-changes');
    expect((await cli.run(['--version'])).stdout).toBe(`${version}\n`);
  });

  it('says what was meant by a mistyped command', async () => {
    const { cli } = setUp();
    const { status, stderr } = await cli.run(['lsit']);
    expect(status).toBe(2);
    expect(stderr).toContain('list');
  });
});

describe('several names', () => {
  it('are done one by one: what is refused is told, with its status, and the others are done', async () => {
    const { repository, cli } = setUp();
    repository.git('branch', 'coppice/b');
    const made = await cli.run(['create', 'a', 'b', 'c', 'a', '--runtime', 'sandbox']);
    expect(made.status).toBe(6);
    expect(made.stdout).toMatch(/^a {2}.*\nc {2}.*\nb: The name b is taken.*\n {2}hint: .*\n2 made, 1 failure\n$/s);
    await cli.run(['exec', 'c', '--', 'sh', '-c', 'echo work > work']);
    const { stdout } = await cli.run(['stop', 'a', 'c', 'nobody'], {});
    expect(stdout).toMatch(/^a is stopped\nc is stopped\nnobody: There is no environment named nobody/);
    expect((await cli.run(['start', 'a', 'c'])).stdout).toBe('a is running\nc is running\n');
    const { status, stdout: removed } = await cli.run(['remove', 'c', 'a', '--json']);
    expect(status).toBe(6);
    expect(JSON.parse(removed)).toMatchObject({
      schema: 'coppice.remove/2',
      environments: [
        { name: 'c', error: { code: 'unmerged-work', kind: 'refused' } },
        { name: 'a', trash: expect.any(String), error: null },
      ],
    });
    const clash = await cli.json<Failure & Record<string, unknown>>(['create', 'x', 'y', '--count', '2'], {
      allow: [2],
    });
    expect(clash.error.code).toBe('options-clash');
  });
});

describe('errors', () => {
  it.each([
    ['no repository', ['list'], 3, 'not-a-repository'],
    ['no such environment', ['show', 'nobody'], 3, 'environment-not-found'],
    ['a bad name', ['create', 'Not A Name'], 2, 'bad-environment-name'],
    [
      'a revision that is none',
      ['create', 'x', '--from', 'no-such-thing', '--runtime', 'sandbox'],
      3,
      'revision-not-found',
    ],
    [
      'a revision that looks like an option',
      ['create', 'x', '--from=--upload-pack=x', '--runtime', 'sandbox'],
      3,
      'revision-not-found',
    ],
    ['a target that is none', ['create', 'x', '--target', 'nowhere', '--runtime', 'sandbox'], 3, 'branch-not-found'],
    ['no command to run', ['exec', 'x'], 2, 'no-command'],
    ['a command without the two dashes', ['exec', 'x', 'ls'], 2, 'no-dashes'],
    ['an image for the sandbox', ['create', 'x', '--runtime', 'sandbox', '--image', 'debian'], 2, 'no-images'],
    ['a size that is none', ['create', 'x', '--memory', 'lots'], 2, 'bad-size'],
    ['a count that is none', ['create', 'x', '--count', '0'], 2, 'bad-input'],
    ['a branch to merge into that is none', ['merge', 'only', '--into', 'mian'], 3, 'branch-not-found'],
    ['nothing to restore', ['restore', 'nobody'], 3, 'not-in-trash'],
    ['an engine that is not there', ['create', 'x', '--runtime', 'docker'], 5, 'engine-unreachable'],
    ['options that clash', ['merge', 'x', '--squash', '--ff-only'], 2, 'options-clash'],
  ])('%s', async (what, args, status, code) => {
    const { cli } = setUp();
    if (args.includes('only')) await cli.json(['create', 'only', '--runtime', 'sandbox']);
    const cwd = what === 'no repository' ? temporaryDirectory() : undefined;
    const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
    const options = cwd === undefined ? { env } : { env, cwd };
    const failed = await cli.run(['--json', ...args], options);
    const { schema, error } = JSON.parse(failed.stdout) as Failure;
    expect({ schema, status: failed.status, code: error.code }).toEqual({ schema: 'coppice.error/1', status, code });
    expect(error.message).toMatch(/\w.*\.$/s);
    expect(error.hint).toMatch(/\S/);
    const people = await cli.run(args, options);
    expect(people).toMatchObject({ status, stdout: '' });
    expect(people.stderr).toContain(`error: ${error.message}`);
    expect(people.stderr).not.toContain('    at ');
  });

  it('names file, key and a near word when the settings are wrong', async () => {
    const { cli, repository } = setUp();
    writeFileSync(join(repository.home, '.config/coppice/config.json'), '{ "imgae": "x" }');
    const failed = await cli.run(['list']);
    expect(failed.status).toBe(2);
    expect(failed.stderr).toMatch(/config\.json.*imgae/s);
    expect(failed.stderr).toContain('image');
    writeFileSync(join(repository.home, '.config/coppice/config.json'), '{ "daemon": "off" }');
  });

  it('names the file in the commit when a repository’s spec is wrong, and leaves nothing behind', async () => {
    const { cli, repository } = setUp();
    repository.commit('spec', { '.coppice/environment.json': '{ "image": 7 }' });
    const before = repository.git('for-each-ref');
    const failed = await cli.run(['create', 'x']);
    expect(failed.status).toBe(2);
    expect(failed.stderr).toContain('.coppice/environment.json');
    expect(repository.git('for-each-ref')).toBe(before);
  });
});

describe('answers', () => {
  it('are one JSON document with a schema, on stdout alone', async () => {
    const { cli, repository } = setUp();
    const created = await cli.run(['create', 'one', '--runtime', 'sandbox', '--json']);
    expect(created).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(created.stdout)).toMatchObject({ schema: 'coppice.create/1', environments: [{ name: 'one' }] });
    const ran = await cli.json<{ exit: number; stdout: string; stderr: string }>(
      ['exec', 'one', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'],
      { allow: [3] },
    );
    expect(ran).toMatchObject({ exit: 3, stdout: 'out\n', stderr: 'err\n' });
    for (const name of ['list', 'show', 'status', 'log', 'diff']) {
      expect(await cli.json([name])).toHaveProperty('schema', `coppice.${name}/1`);
    }
    mkdirSync(join(repository.path, 'sub'));
    expect(JSON.parse((await cli.run(['-C', 'sub', '--json', 'list'])).stdout).environments).toHaveLength(1);
  });

  it('take the environment whose worktree the caller stands in, and ask when several would fit', async () => {
    const { cli } = setUp();
    const first = await cli.json<{ environments: { worktree: string }[] }>(['create', 'one', '--runtime', 'sandbox']);
    await cli.json(['create', 'two', '--runtime', 'sandbox']);
    const asked = await cli.run(['status']);
    expect(asked.status).toBe(2);
    expect(asked.stderr).toContain('one, two');
    const inside = await cli.json<{ name: string }>(['status'], { cwd: first.environments[0]?.worktree ?? '' });
    expect(inside.name).toBe('one');
  });

  it('carries uncommitted and untracked work along when asked, as a checkpoint, and leaves it where it was', async () => {
    const { cli, repository } = setUp();
    writeFileSync(join(repository.path, 'README.md'), 'changed\n');
    writeFileSync(join(repository.path, 'untracked.txt'), 'u\n');
    await cli.json(['create', 'one', '--runtime', 'sandbox', '--with-changes']);
    const inside = await cli.run(['exec', 'one', '--', 'git', 'status', '--porcelain']);
    expect(inside.stdout).toBe(' M README.md\n?? untracked.txt\n');
    expect(repository.git('status', '--porcelain')).toBe(' M README.md\n?? untracked.txt');
    expect(repository.git('log', '-1', '--format=%(trailers:key=Coppice-Cause,valueonly)', 'coppice/one').trim()).toBe(
      'changes of the checkout',
    );
  });

  it('ends the whole process tree inside on a timeout, with status 124', async () => {
    const { cli } = setUp();
    await cli.json(['create', 'one', '--runtime', 'sandbox']);
    const script = '(while :; do date >> ticks; sleep 0.1; done) & sleep 600';
    const done = await cli.run(['exec', 'one', '--timeout', '1', '--', 'sh', '-c', script]);
    expect(done.status).toBe(124);
    const size = async () => (await cli.run(['exec', 'one', '--', 'sh', '-c', 'wc -c < ticks'])).stdout;
    expect(await size()).toBe(await size());
  });
});
