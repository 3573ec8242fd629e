/** The daemon as a user meets it: started by create, committing what is written, telling what it does. */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { hangs } from '../support/eventually.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

/** Asks again until it does not throw. */
const eventually = <Answer>(ask: () => Answer | Promise<Answer>) => vi.waitFor(ask, { timeout: hangs, interval: 25 });

function setUp() {
  return daemonFor(makeRepository({ files: { 'a.txt': 'a\n', '.gitignore': 'build/\n' } }));
}

async function daemonFor(repository: TestRepository) {
  const cli = coppiceIn(repository, { settings: { daemon: 'auto' } });
  onTestFinished(async () => {
    await cli.run(['remove', '-f', 'one']);
    await cli.run(['daemon', 'stop']);
  });
  const made = await cli.json<{ environments: { worktree: string }[] }>(['create', 'one', '--runtime', 'sandbox']);
  return { repository, cli, worktree: made.environments[0]?.worktree ?? '' };
}

describe('the daemon', () => {
  it('commits what is written, from an editor on the host and from inside, without being asked', async () => {
    const { repository, cli, worktree } = await setUp();
    // A file that comes during the daemon's first look is found by that, and says so. After it events tell.
    writeFileSync(join(worktree, 'first.txt'), 'first\n');
    await eventually(() => expect(repository.git('show', 'coppice/one:first.txt')).toBe('first'));
    writeFileSync(join(worktree, 'edited.txt'), 'by an editor\n');
    await eventually(() => expect(repository.git('show', 'coppice/one:edited.txt')).toBe('by an editor'));
    expect(repository.git('log', '-1', '--format=%(trailers:key=Coppice-Cause,valueonly)', 'coppice/one').trim()).toBe(
      'edit',
    );
    const long = cli.start(['exec', 'one', '--', 'sh', '-c', 'echo inside > inside.txt; echo $$; exec cat']);
    await eventually(() => expect(repository.git('show', 'coppice/one:inside.txt')).toBe('inside'));
    expect(repository.git('log', '-1', '--format=%(trailers:key=Coppice-Cause,valueonly)', 'coppice/one')).toContain(
      'exec sh -c',
    );
    long.stdin?.end();
    await new Promise((done) => long.on('close', done));
    mkdirSync(join(worktree, 'build'));
    writeFileSync(join(worktree, 'build/out.txt'), 'ignored\n');
    appendFileSync(join(worktree, 'a.txt'), 'more\n');
    await eventually(() => expect(repository.git('show', 'coppice/one:a.txt')).toBe('a\nmore'));
    expect(repository.git('ls-tree', '-r', '--name-only', 'coppice/one')).not.toContain('build');
  });

  it('saves what is written in a submodule, without being asked', async () => {
    const repository = makeRepository();
    const library = join(repository.directory, 'library');
    mkdirSync(library);
    repository.gitIn(library, 'init', '-q', '-b', 'main');
    writeFileSync(join(library, 'lib.txt'), 'l\n');
    repository.gitIn(library, 'add', '.');
    repository.gitIn(library, 'commit', '-q', '-m', 'lib');
    repository.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'vendor/lib');
    repository.git('commit', '-q', '-m', 'with submodule');
    const { worktree } = await daemonFor(repository);
    const [files = ''] = repository.git('for-each-ref', '--format=%(refname)', 'refs/coppice/one/modules').split('\n');
    for (const name of ['new.txt', 'deep/er/newer.txt']) {
      mkdirSync(dirname(join(worktree, 'vendor/lib', name)), { recursive: true });
      writeFileSync(join(worktree, 'vendor/lib', name), `${name}\n`);
      await eventually(() => expect(repository.git('show', `${files}:${name}`)).toBe(name));
    }
    expect(repository.git('log', '--format=%s', 'coppice/one')).not.toContain('new');
  });

  it('brings a commit made inside out, while the command that made it still runs', async () => {
    const { repository, cli } = await setUp();
    const long = cli.start([
      'exec',
      'one',
      '--',
      'sh',
      '-c',
      'echo c > c.txt; git add .; git commit -qm Inside; exec cat',
    ]);
    await eventually(() => expect(repository.git('log', '-1', '--format=%s', 'refs/coppice/one/head')).toBe('Inside'));
    long.stdin?.end();
    await new Promise((done) => long.on('close', done));
    expect(repository.git('rev-parse', 'coppice/one')).toBe(repository.git('rev-parse', 'refs/coppice/one/head'));
  });

  it('tells what happens, a line each', async () => {
    const { cli, worktree } = await setUp();
    const watching = cli.start(['watch', '--json']);
    const lines = createInterface({ input: watching.stdout ?? process.stdin });
    const events: { type: string; name: string; subject?: string }[] = [];
    lines.on('line', (line) => events.push(JSON.parse(line)));
    await eventually(async () => {
      writeFileSync(join(worktree, 'seen.txt'), `${performance.now()}\n`);
      expect(events.find(({ type, subject }) => type === 'checkpoint' && subject?.includes('seen.txt'))).toMatchObject({
        name: 'one',
      });
    });
    watching.kill('SIGINT');
    expect(await new Promise((done) => watching.on('close', done))).toBe(130);
  });

  it('is started by what needs it, survives kill -9 of itself, and loses nothing', async () => {
    const { repository, cli, worktree } = await setUp();
    const before = await cli.json<{ daemon: { pid: number; environments: { name: string }[] } }>(['daemon', 'status']);
    expect(before.daemon.environments.map(({ name }) => name)).toEqual(['one']);
    process.kill(before.daemon.pid, 'SIGKILL');
    writeFileSync(join(worktree, 'while-away.txt'), 'w\n');
    const gone = await eventually(async () => {
      const status = await cli.json<{ daemon: unknown }>(['daemon', 'status']);
      expect(status.daemon).toBeNull();
      return status;
    });
    expect(gone.daemon).toBeNull();
    await cli.json(['daemon', 'start']);
    await eventually(() => expect(repository.git('show', 'coppice/one:while-away.txt')).toBe('w'));
    expect(await cli.json(['daemon', 'stop'])).toMatchObject({ changed: true });
  });

  it('is not needed: without it the next command sees everything', async () => {
    const { repository, cli, worktree } = await setUp();
    await cli.json(['daemon', 'stop']);
    writeFileSync(join(worktree, 'later.txt'), 'l\n');
    rmSync(join(worktree, 'a.txt'));
    const shown = await cli.json<{ files: { path: string; kind: string }[] }>(['diff', 'one', '--stat']);
    expect(shown.files).toMatchObject([
      { path: 'a.txt', kind: 'deleted' },
      { path: 'later.txt', kind: 'added' },
    ]);
    expect(repository.git('show', 'coppice/one:later.txt')).toBe('l');
  });
});
