/** Repositories of every shape git allows: an environment is made, works, merges and goes. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Cli, coppiceIn } from '../support/coppice.ts';
import { fingerprintOfCheckout } from '../support/fingerprint.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

interface Place {
  readonly repository: TestRepository;
  /** Where the caller stands. */
  readonly cwd: string;
  readonly cli: Cli;
  exec(name: string, script: string): ReturnType<Cli['run']>;
  create(
    name: string,
    ...options: readonly string[]
  ): Promise<{ worktree: string; base: string; target: string | null }>;
}

function placeIn(repository: TestRepository, cwd = repository.path): Place {
  const cli = coppiceIn(repository);
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list'], { cwd });
    for (const { name } of environments) await cli.run(['remove', '-f', name], { cwd });
  });
  return {
    repository,
    cwd,
    cli,
    exec: (name, script) => cli.run(['exec', name, '--', 'sh', '-c', script], { cwd }),
    async create(name, ...options) {
      const made = await cli.json<{ environments: { worktree: string; base: string; target: string | null }[] }>(
        ['create', name, '--runtime', 'sandbox', ...options],
        { cwd },
      );
      const [first] = made.environments;
      if (first === undefined) throw new Error('nothing was created');
      return first;
    },
  };
}

/** Writes a file inside, commits half of it there, and checks that both arrive. */
async function worksIn(place: Place, name: string): Promise<void> {
  const done = await place.exec(
    name,
    'set -e; echo one > one.txt; git add one.txt; git commit -qm One; echo two > two.txt; git status --porcelain',
  );
  expect(done.stderr).toBe('');
  expect(done).toMatchObject({ status: 0, stdout: '?? two.txt\n' });
  const { git, gitIn } = place.repository;
  const at = (...args: readonly string[]) =>
    existsSync(join(place.cwd, '.git')) ? gitIn(place.cwd, ...args) : git(...args);
  expect(at('show', `coppice/${name}:two.txt`)).toBe('two');
  expect(at('log', '-1', '--format=%s', `refs/coppice/${name}/head`)).toBe('One');
  at('fsck', '--strict', '--no-dangling');
}

describe('repository shapes', () => {
  it('unborn HEAD: starts from nothing, and the branch is born by the merge', async () => {
    const place = placeIn(makeRepository({ unborn: true }));
    const { target } = await place.create('one');
    expect(target).toBe('main');
    await worksIn(place, 'one');
    await place.cli.json(['merge', 'one']);
    expect(place.repository.git('show', 'main:one.txt')).toBe('one');
    expect(readFileSync(join(place.cwd, 'two.txt'), 'utf8')).toBe('two\n');
    expect(place.repository.git('status', '--porcelain')).toBe('');
  });

  it('detached HEAD: no target, merges where it is told', async () => {
    const repository = makeRepository();
    repository.git('checkout', '-q', '--detach');
    const place = placeIn(repository);
    expect((await place.create('one')).target).toBeNull();
    await worksIn(place, 'one');
    const refused = await place.cli.run(['merge', 'one']);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('--into');
    await place.cli.json(['merge', 'one', '--into', 'main']);
    expect(repository.git('show', 'main:two.txt')).toBe('two');
  });

  it('bare repository', async () => {
    const repository = makeRepository();
    const bare = join(repository.directory, 'bare.git');
    repository.git('clone', '-q', '--bare', '.', bare);
    const place = placeIn(repository, bare);
    await place.create('one');
    const done = await place.exec('one', 'echo one > one.txt; git add .; git commit -qm One');
    expect(done.status).toBe(0);
    await place.cli.json(['merge', 'one'], { cwd: bare });
    expect(repository.gitIn(bare, 'show', 'main:one.txt')).toBe('one');
  });

  it('shallow clone', async () => {
    const repository = makeRepository();
    for (const n of [1, 2, 3]) repository.commit(`commit ${n}`, { 'n.txt': `${n}\n` });
    const shallow = join(repository.directory, 'shallow');
    repository.git('clone', '-q', '--depth=2', `file://${repository.path}`, shallow);
    const place = placeIn(repository, shallow);
    await place.create('one');
    expect((await place.exec('one', 'git log --oneline | wc -l')).stdout.trim()).toBe('2');
    await worksIn(place, 'one');
    await place.cli.json(['merge', 'one'], { cwd: shallow });
    expect(repository.gitIn(shallow, 'show', 'main:two.txt')).toBe('two');
  });

  it('linked worktree as the caller’s place: its HEAD is the base, the same environments are seen', async () => {
    const repository = makeRepository();
    const linked = join(repository.directory, 'linked');
    repository.git('worktree', 'add', '-q', '-b', 'topic', linked);
    repository.write({});
    writeFileSync(join(linked, 'topic.txt'), 't\n');
    repository.gitIn(linked, 'add', '.');
    repository.gitIn(linked, 'commit', '-q', '-m', 'topic');
    const place = placeIn(repository, linked);
    const { base, target } = await place.create('one');
    expect({ base, target }).toEqual({ base: repository.gitIn(linked, 'rev-parse', 'HEAD'), target: 'topic' });
    await worksIn(place, 'one');
    const main = fingerprintOfCheckout(repository.path);
    await place.cli.json(['merge', 'one']);
    expect(readFileSync(join(linked, 'two.txt'), 'utf8')).toBe('two\n');
    expect(repository.gitIn(linked, 'status', '--porcelain')).toBe('');
    expect(Object.keys(fingerprintOfCheckout(repository.path)).filter((path) => !path.startsWith('.git/'))).toEqual(
      Object.keys(main).filter((path) => !path.startsWith('.git/')),
    );
    const { environments } = await place.cli.json<{ environments: unknown[] }>(['list'], { cwd: repository.path });
    expect(environments).toHaveLength(1);
  });

  it('nested repositories made inside are absorbed as files, and everything else still lands', async () => {
    const place = placeIn(makeRepository());
    await place.create('one');
    const script = `set -e
      mkdir empty && git init -q empty && echo e > empty/e.txt
      mkdir full && git init -q full && echo f > full/f.txt && git -C full add . && git -C full commit -qm x
      echo other > other.txt`;
    expect((await place.exec('one', script)).status).toBe(0);
    const listed = place.repository.git('ls-tree', '-r', '--name-only', 'coppice/one').split('\n');
    expect(listed).toEqual(['README.md', 'empty/e.txt', 'full/f.txt', 'other.txt']);
    expect((await place.exec('one', 'git -C full log --format=%s')).stdout).toBe('x\n');
  });

  it('submodule: its files are there, its link stays, the environment works and goes', async () => {
    const repository = makeRepository();
    const library = join(repository.directory, 'library');
    mkdirSync(library);
    repository.gitIn(library, 'init', '-q', '-b', 'main');
    writeFileSync(join(library, 'lib.txt'), 'l\n');
    repository.gitIn(library, 'add', '.');
    repository.gitIn(library, 'commit', '-q', '-m', 'lib');
    repository.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'vendor/lib');
    repository.git('commit', '-q', '-m', 'with submodule');
    const place = placeIn(repository);
    const { worktree } = await place.create('one');
    expect(readFileSync(join(worktree, 'vendor/lib/lib.txt'), 'utf8')).toBe('l\n');
    await worksIn(place, 'one');
    expect(await place.cli.json(['status', 'one'])).toMatchObject({ held: [] });
    expect(repository.git('ls-tree', 'coppice/one', 'vendor/lib')).toBe(
      repository.git('ls-tree', 'main', 'vendor/lib'),
    );
    await place.cli.json(['merge', 'one', '--remove']);
    expect(existsSync(worktree)).toBe(false);
    expect(repository.git('status', '--porcelain')).toBe('');
  });

  it('submodule with work in it: told, kept with its commits, back after a restore; its link is the agent’s to move', async () => {
    const repository = makeRepository();
    const library = join(repository.directory, 'library');
    mkdirSync(library);
    repository.gitIn(library, 'init', '-q', '-b', 'main');
    writeFileSync(join(library, 'lib.txt'), 'l\n');
    repository.gitIn(library, 'add', '.');
    repository.gitIn(library, 'commit', '-q', '-m', 'lib');
    const inLibrary = repository.gitIn(library, 'rev-parse', 'HEAD');
    repository.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'vendor/lib');
    repository.git('commit', '-q', '-m', 'with submodule');
    const place = placeIn(repository);
    const { worktree } = await place.create('one');
    const held = async () =>
      (await place.cli.json<{ held: { path: string; detail: string }[] }>(['status', 'one'])).held;
    // Stands for a clone that needs a network: the same history, made inside.
    const clone = [
      'set -e; mkdir -p vendor/lib; cd vendor/lib; git init -q -b main; printf "l\\n" > lib.txt; git add .',
      'git commit -q -m lib',
    ].join('\n');
    const dates = 'export GIT_AUTHOR_DATE=2026-01-02T03:04:05Z GIT_COMMITTER_DATE=2026-01-02T03:04:05Z';
    const names =
      'export GIT_AUTHOR_NAME="Ada Author" GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME="Cleo Committer" GIT_COMMITTER_EMAIL=cleo@example.org';
    const populated = await place.exec('one', `${dates}; ${names}; ${clone}\ngit rev-parse HEAD`);
    expect(populated).toMatchObject({ status: 0, stdout: `${inLibrary}\n`, stderr: '' });
    expect(await held()).toEqual([]);

    const edit = 'cd vendor/lib; echo edit >> lib.txt; echo new > new.txt; git commit -qam Inner; git rev-parse HEAD';
    const committed = await place.exec('one', `${names}; ${edit}`);
    expect(committed.stderr).toMatch(/held vendor\/lib .*changed files and commit/);
    const inner = committed.stdout.trim();
    const [told] = await held();
    expect(told).toMatchObject({ path: 'vendor/lib', detail: expect.stringContaining(inner.slice(0, 7)) });
    const refs = repository.git('for-each-ref', '--format=%(refname)', 'refs/coppice/one/modules/').split('\n');
    expect(refs).toHaveLength(2);
    const [commits = '', files = ''] = refs;
    expect(commits.endsWith(inner)).toBe(true);
    expect(repository.git('log', '--format=%s', commits)).toBe('Inner\nlib');
    expect(repository.git('show', `${files}:new.txt`)).toBe('new');
    expect(repository.git('ls-tree', 'coppice/one', 'vendor/lib')).toContain(inLibrary);

    await place.cli.json(['remove', '-f', 'one']);
    await place.cli.json(['restore', 'one']);
    expect(readFileSync(join(worktree, 'vendor/lib/new.txt'), 'utf8')).toBe('new\n');
    expect(repository.git('log', '--format=%s', commits)).toBe('Inner\nlib');

    await place.exec('one', `git update-index --cacheinfo 160000,${inner},vendor/lib && git commit -qm Link`);
    expect(repository.git('log', '-1', '--format=%s', 'coppice/one')).toBe('Link');
    expect(repository.git('ls-tree', 'coppice/one', 'vendor/lib')).toContain(inner);
    repository.git('fsck', '--strict', '--no-dangling');
  });

  it('sparse checkout: inherited, and what is not checked out is not deleted', async () => {
    const repository = makeRepository({ files: { 'in/a.txt': 'a\n', 'out/b.txt': 'b\n', 'root.txt': 'r\n' } });
    repository.git('sparse-checkout', 'set', 'in');
    const place = placeIn(repository);
    const { worktree } = await place.create('one');
    expect(existsSync(join(worktree, 'in/a.txt'))).toBe(true);
    expect(existsSync(join(worktree, 'out'))).toBe(false);
    await worksIn(place, 'one');
    expect(repository.git('show', 'coppice/one:out/b.txt')).toBe('b');
    await place.cli.json(['merge', 'one']);
    expect(repository.git('show', 'main:out/b.txt')).toBe('b');
    expect(existsSync(join(repository.path, 'out'))).toBe(false);
  });

  it('CRLF attributes: untouched files are no change, edited ones are stored as git would', async () => {
    const repository = makeRepository({
      files: {
        '.gitattributes': '*.txt text eol=crlf\n*.bin binary\n',
        'win.txt': 'one\ntwo\n',
        'raw.bin': 'a\r\nb\r\n',
      },
    });
    const place = placeIn(repository);
    const { worktree } = await place.create('one');
    expect(readFileSync(join(worktree, 'win.txt'), 'utf8')).toBe('one\r\ntwo\r\n');
    const untouched = await place.cli.json<{ checkpoint: string | null }>(['checkpoint', 'one']);
    expect(untouched.checkpoint).toBeNull();
    await place.exec('one', "printf 'one\\r\\nthree\\r\\n' > win.txt; printf 'x\\r\\n' > raw.bin");
    expect(repository.git('cat-file', 'blob', 'coppice/one:win.txt')).toBe('one\nthree');
    expect(repository.git('cat-file', '-s', 'coppice/one:raw.bin')).toBe('3');
    expect((await place.exec('one', 'git status --porcelain')).stdout).toBe(' M raw.bin\n M win.txt\n');
  });

  it('Git LFS: content where it is here, pointers on the branch, content again in rewinds and in the checkout', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 123\n`;
    const repository = makeRepository({ files: { '.gitattributes': '*.psd filter=lfs diff=lfs merge=lfs -text\n' } });
    repository.git('lfs', 'install', '--local', '--skip-smudge');
    repository.commit('content', { 'old.psd': 'OLD', 'away.psd': pointer });
    repository.git('lfs', 'install', '--local', '--force');
    const place = placeIn(repository);
    const { worktree } = await place.create('one');
    expect(readFileSync(join(worktree, 'old.psd'), 'utf8')).toBe('OLD');
    expect(readFileSync(join(worktree, 'away.psd'), 'utf8')).toBe(pointer);
    expect((await place.cli.json<{ checkpoint: string | null }>(['checkpoint', 'one'])).checkpoint).toBeNull();
    const done = await place.exec('one', 'git status --porcelain; printf PIXELS > new.psd; printf CHANGED > old.psd');
    expect(done).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(repository.git('cat-file', 'blob', 'coppice/one:new.psd')).toMatch(/^version .*\noid sha256:\w+\nsize 6$/);
    await place.cli.json(['rewind', 'one', 'HEAD']);
    expect(readFileSync(join(worktree, 'old.psd'), 'utf8')).toBe('OLD');
    expect(existsSync(join(worktree, 'new.psd'))).toBe(false);
    await place.exec('one', 'printf AGAIN > new.psd');
    await place.cli.json(['merge', 'one']);
    expect(readFileSync(join(repository.path, 'new.psd'), 'utf8')).toBe('AGAIN');
    expect(repository.git('status', '--porcelain')).toBe('');
    expect(repository.git('cat-file', 'blob', 'main:new.psd')).toContain('size 5');

    repository.commit('later', { 'later.psd': 'LATER', 'away2.psd': pointer.replace('123', '124') });
    const synced = await place.cli.run(['sync', 'one']);
    expect(synced).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/merged into one\n +1 file of Git LFS is a pointer/),
    });
    expect(readFileSync(join(worktree, 'later.psd'), 'utf8')).toBe('LATER');
    expect((await place.exec('one', 'git status --porcelain')).stdout).toBe('');
    expect(await place.cli.json(['status', 'one'])).toMatchObject({ held: [], checkpoints: 0 });
  });

  it('names that collide: by case, and as directory and file', async () => {
    const repository = makeRepository({ files: { Makefile: 'a\n', makefile: 'b\n', thing: 'file\n' } });
    const place = placeIn(repository);
    await place.create('one');
    await place.exec(
      'one',
      'set -e; echo c >> MAKEFILE; rm thing; mkdir thing; echo d > thing/file; echo up >> makefile',
    );
    expect(repository.git('ls-tree', '-r', '--name-only', 'coppice/one').split('\n')).toEqual([
      'MAKEFILE',
      'Makefile',
      'makefile',
      'thing/file',
    ]);
    const upper = await place.cli.run(['create', 'One', '--runtime', 'sandbox']);
    expect(upper.status).toBe(2);
    expect(upper.stderr).toContain('for example one');
    expect((await place.cli.run(['create', 'one', '--runtime', 'sandbox'])).status).toBe(6);
    repository.git('branch', 'coppice/two/deep');
    const before = repository.git('for-each-ref');
    const clash = await place.cli.run(['create', 'two', '--runtime', 'sandbox']);
    expect(clash.status).toBe(6);
    expect(repository.git('for-each-ref')).toBe(before);
  });

  it('SHA-256 repository', async () => {
    const place = placeIn(makeRepository({ objectFormat: 'sha256' }));
    await place.create('one');
    await worksIn(place, 'one');
    await place.cli.json(['merge', 'one']);
    expect(place.repository.git('show', 'main:two.txt')).toBe('two');
  });
});
