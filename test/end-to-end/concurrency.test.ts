/** Many processes at once, and processes that die in the middle. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Cli, coppiceIn } from '../support/coppice.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

function setUp(): { repository: TestRepository; cli: Cli } {
  const repository = makeRepository({ files: { 'a.txt': 'a\n' } });
  const cli = coppiceIn(repository);
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    for (const { name } of environments) await cli.run(['remove', '-f', name]);
  });
  return { repository, cli };
}

/** Directories, branches, references and registrations of environments, by name. */
function tracesOf(repository: TestRepository): Record<string, readonly string[]> {
  const data = join(repository.home, '.local/share/coppice');
  const [own] = existsSync(data) ? readdirSync(data).filter((name) => !name.startsWith('.')) : [];
  const registrations = join(repository.path, '.git/worktrees');
  const containers = join(data, '.sandboxes');
  return {
    directories:
      own === undefined
        ? []
        : readdirSync(join(data, own))
            .filter((name) => !name.startsWith('.'))
            .sort(),
    branches: repository
      .git('for-each-ref', '--format=%(refname:lstrip=3)', 'refs/heads/coppice')
      .split('\n')
      .filter(Boolean),
    records: repository
      .git('for-each-ref', '--format=%(refname)', 'refs/coppice/*/record')
      .split('\n')
      .filter(Boolean)
      .map((ref) => ref.split('/')[2] ?? ''),
    registrations: existsSync(registrations)
      ? readdirSync(registrations)
          .map((id) => id.replace('coppice-', ''))
          .sort()
      : [],
    containers: existsSync(containers)
      ? readdirSync(containers)
          .filter((name) => name.endsWith('.json'))
          .map((name) => name.split('.')[0] ?? '')
      : [],
  };
}

describe('at the same time', () => {
  it('ten processes create ten usable environments', async () => {
    const { repository, cli } = setUp();
    const names = Array.from({ length: 10 }, (_, index) => `e${index}`);
    const results = await Promise.all(names.map((name) => cli.run(['create', name, '--runtime', 'sandbox'])));
    expect(results.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
      names.map(() => ({ status: 0, stderr: '' })),
    );
    const traces = tracesOf(repository);
    expect(traces.directories).toEqual(names);
    expect(traces.branches).toEqual(names);
    expect(traces.registrations).toEqual(names);
    const [first, last] = await Promise.all(
      ['e0', 'e9'].map((name) => cli.run(['exec', name, '--', 'git', 'status', '--porcelain'])),
    );
    expect([first, last]).toMatchObject([
      { status: 0, stdout: '' },
      { status: 0, stdout: '' },
    ]);
  });

  it('one name wanted by five processes is given to one of them', async () => {
    const { repository, cli } = setUp();
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => cli.run(['create', 'same', '--runtime', 'sandbox'])));
    expect(results.map(({ status }) => status).sort()).toEqual([0, 6, 6, 6, 6]);
    expect(tracesOf(repository).directories).toEqual(['same']);
    expect((await cli.run(['exec', 'same', '--', 'true'])).status).toBe(0);
  });

  it('many changes and merges at once lose nothing', async () => {
    const { repository, cli } = setUp();
    const names = ['m1', 'm2', 'm3', 'm4'];
    for (const name of names) await cli.json(['create', name, '--runtime', 'sandbox']);
    await Promise.all(names.map((name) => cli.run(['exec', name, '--', 'sh', '-c', `echo ${name} > ${name}.txt`])));
    const merged = await Promise.all(names.map((name) => cli.run(['merge', name])));
    // A checkout can be brought along by one at a time: whoever came second may be told to try again, with nothing changed.
    for (const [index, name] of names.entries()) if (merged[index]?.status !== 0) await cli.json(['merge', name]);
    for (const name of names) expect(repository.git('show', `main:${name}.txt`)).toBe(name);
    expect(repository.git('status', '--porcelain')).toBe('');
    repository.git('fsck', '--strict', '--no-dangling');
  });
});

describe('a creation that is killed', () => {
  /** Kills at the moment a trace appears, which is a different step each time. */
  const steps: readonly (readonly [string, (repository: TestRepository) => boolean])[] = [
    ['its references exist', (repository) => tracesOf(repository).records?.includes('victim') ?? false],
    ['its registration exists', (repository) => existsSync(join(repository.path, '.git/worktrees/coppice-victim'))],
    ['its own git directory exists', (repository) => traceDirectory(repository, 'git')],
    ['its container exists', (repository) => (tracesOf(repository).containers?.length ?? 0) > 0],
  ];

  it.each(steps)('when %s is rolled back by the next command, and the name is free', async (_, reached) => {
    const { repository, cli } = setUp();
    const child = cli.start(['create', 'victim', '--runtime', 'sandbox']);
    const ended = new Promise<void>((done) => child.on('close', () => done()));
    let over = false;
    void ended.then(() => {
      over = true;
    });
    while (!over && !reached(repository)) await new Promise((next) => setImmediate(next));
    child.kill('SIGKILL');
    await ended;
    const { environments } = await cli.json<{ environments: { name: string; state: string }[] }>(['list']);
    // Whoever was too late with the kill finds the environment whole.
    if (environments.length > 0) expect(environments).toMatchObject([{ name: 'victim', state: 'running' }]);
    else
      expect(tracesOf(repository)).toEqual({
        directories: [],
        branches: [],
        records: [],
        registrations: [],
        containers: [],
      });
    await cli.json(environments.length > 0 ? ['remove', '-f', 'victim'] : ['list']);
    await cli.json(['create', 'victim', '--runtime', 'sandbox']);
    expect((await cli.run(['exec', 'victim', '--', 'git', 'status', '--porcelain'])).stdout).toBe('');
    writeFileSync(join(repository.path, 'still.txt'), 'mine\n');
    expect(repository.git('status', '--porcelain')).toBe('?? still.txt');
  });
});

function traceDirectory(repository: TestRepository, part: string): boolean {
  const data = join(repository.home, '.local/share/coppice');
  if (!existsSync(data)) return false;
  return readdirSync(data).some((id) => existsSync(join(data, id, 'victim', part)));
}
