/** The main job from create to merge, as a user does it, on any runtime. */
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Cli, coppiceIn } from '../support/coppice.ts';
import { contentOf, fingerprintOfCheckout } from '../support/fingerprint.ts';
import { type FileContent, makeRepository, type TestRepository } from '../support/repository.ts';

export interface Ground {
  readonly name: string;
  /** Options of `create` that choose it. */
  readonly create: readonly string[];
  readonly env: () => Readonly<Record<string, string>>;
  /** Whether commands are kept away from the host's files. */
  readonly isolated: boolean;
  /** Removes what tests left in the engine. */
  readonly cleanUp: () => Promise<void>;
}

interface Scene {
  readonly repository: TestRepository;
  readonly cli: Cli;
  create(name: string, ...options: readonly string[]): Promise<{ worktree: string; branch: string; base: string }>;
  exec(name: string, script: string): ReturnType<Cli['run']>;
}

export function sceneOn(ground: Ground, files?: Readonly<Record<string, FileContent>>): Scene {
  const repository = makeRepository(files === undefined ? {} : { files });
  const cli = coppiceIn(repository, { env: ground.env() });
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    for (const { name } of environments) await cli.run(['remove', '--force', name]);
    await ground.cleanUp();
  });
  return {
    repository,
    cli,
    async create(name, ...options) {
      const made = await cli.json<{ environments: { worktree: string; branch: string; base: string }[] }>([
        'create',
        name,
        ...ground.create,
        ...options,
      ]);
      const [first] = made.environments;
      if (first === undefined) throw new Error('create made nothing');
      return first;
    },
    exec: (name, script) => cli.run(['exec', name, '--', 'sh', '-c', script]),
  };
}

const tip = (repository: TestRepository, name: string) => repository.git('rev-parse', `coppice/${name}`);
const show = (repository: TestRepository, spec: string) => repository.git('show', spec);

export function mainPath(ground: Ground): void {
  describe(`the main path on ${ground.name}`, () => {
    it('creates a branch, a locked worktree and a container, and leaves the checkout alone', async () => {
      const scene = sceneOn(ground, { 'src/a.txt': 'a\n', 'README.md': '# x\n' });
      const { repository, cli } = scene;
      writeFileSync(join(repository.path, 'dirty.txt'), 'mine\n');
      const before = fingerprintOfCheckout(repository.path);
      const made = await scene.create('one', '--title', 'First try');
      expect(made).toMatchObject({ branch: 'coppice/one', base: repository.git('rev-parse', 'HEAD') });
      expect(contentOf(made.worktree)).toEqual(
        expect.objectContaining({ 'src/a.txt': expect.any(String), 'README.md': expect.any(String) }),
      );
      expect(existsSync(join(made.worktree, 'dirty.txt'))).toBe(false);
      expect(repository.git('worktree', 'list', '--porcelain')).toMatch(/branch refs\/heads\/coppice\/one\nlocked/);
      const { environments } = await cli.json<{ environments: unknown[] }>(['list']);
      expect(environments).toMatchObject([
        { name: 'one', title: 'First try', state: 'running', target: 'main', changed: false },
      ]);
      expect(fingerprintOfCheckout(repository.path)).toEqual(before);
    });

    it('passes output, input and exit status through, and checkpoints what a command changed', async () => {
      const scene = sceneOn(ground);
      await scene.create('one');
      const failing = await scene.cli.run(
        ['exec', 'one', '--', 'sh', '-c', 'cat > new.txt; echo out; echo err >&2; exit 7'],
        {
          input: 'from stdin\n',
        },
      );
      expect(failing).toMatchObject({ status: 7, stdout: 'out\n' });
      expect(failing.stderr).toContain('err\n');
      expect(show(scene.repository, 'coppice/one:new.txt')).toBe('from stdin');
      const message = scene.repository.git('log', '-1', '--format=%B', 'coppice/one');
      expect(message).toMatch(/^add new\.txt/);
      expect(message).toMatch(/^Coppice-Environment: one$/m);
      expect(message).toMatch(/^Coppice-Cause: exec sh -c .* \(exit 7\)$/m);
    });

    it('checkpoints an edit made on the host, and every kind of file git knows', async () => {
      const scene = sceneOn(ground, {
        '.gitignore': 'ignored/\n*.log\n',
        'old.txt': 'old\n',
        'tool.sh': '#!/bin/sh\n',
      });
      const { worktree } = await scene.create('one');
      mkdirSync(join(worktree, 'ignored'));
      const files: Record<string, string | Buffer> = {
        'with space.txt': 's\n',
        'new\nline.txt': 'n\n',
        'größe/日本.txt': 'u\n',
        'binary.bin': Buffer.from([0, 1, 2, 255, 254, 0]),
        'ignored/no.txt': 'no\n',
        'debug.log': 'no\n',
      };
      mkdirSync(join(worktree, 'größe'));
      for (const [path, content] of Object.entries(files)) writeFileSync(join(worktree, path), content);
      chmodSync(join(worktree, 'tool.sh'), 0o755);
      rmSync(join(worktree, 'old.txt'));
      symlinkSync('tool.sh', join(worktree, 'link'));
      await scene.cli.json(['checkpoint', 'one']);
      const listing = scene.repository.git('-c', 'core.quotePath=false', 'ls-tree', '-r', '-z', 'coppice/one');
      const entries = Object.fromEntries(
        listing
          .split('\0')
          .filter(Boolean)
          .map((line) => [line.slice(line.indexOf('\t') + 1), line.slice(0, 6)]),
      );
      expect(entries).toEqual({
        '.gitignore': '100644',
        'binary.bin': '100644',
        'größe/日本.txt': '100644',
        link: '120000',
        'new\nline.txt': '100644',
        'tool.sh': '100755',
        'with space.txt': '100644',
      });
      const again = await scene.cli.json<{ checkpoint: string | null }>(['checkpoint', 'one']);
      expect(again.checkpoint).toBeNull();
    });

    it('lets git work inside, and brings the agent’s commit out under the same name', async () => {
      const scene = sceneOn(ground, { 'a.txt': '1\n', 'b.txt': '1\n' });
      await scene.create('one');
      const script = `set -e
        test -z "$(git status --porcelain)"
        git log --oneline | grep -q first
        echo 2 >> a.txt; echo 2 >> b.txt
        test "$(git diff --name-only | wc -l)" -eq 2
        git stash -q; test -z "$(git status --porcelain)"; git stash pop -q
        git add a.txt; git commit -q -m 'Change a'
        git blame -s a.txt >/dev/null
        git status --porcelain
        git rev-parse HEAD`;
      const done = await scene.exec('one', script);
      expect(done).toMatchObject({ status: 0 });
      const [status, commit = ''] = done.stdout.trimEnd().split('\n');
      expect(status).toBe(' M b.txt');
      expect(scene.repository.git('rev-parse', 'refs/coppice/one/head')).toBe(commit);
      expect(scene.repository.git('log', '-1', '--format=%an %s', commit)).toBe('Ursula User Change a');
      // The rest of the work is a checkpoint on top of the commit.
      expect(scene.repository.git('rev-parse', 'coppice/one^')).toBe(commit);
      expect(show(scene.repository, 'coppice/one:b.txt')).toBe('1\n2');
    });

    it('follows a rebase and an amend inside, and loses nothing of what they leave behind', async () => {
      const scene = sceneOn(ground, { 'a.txt': '1\n' });
      await scene.create('one');
      await scene.exec('one', 'echo x > x.txt; git add x.txt; git commit -qm X');
      const first = scene.repository.git('rev-parse', 'refs/coppice/one/head');
      await scene.exec('one', 'git commit -q --amend -m Y');
      const second = scene.repository.git('rev-parse', 'refs/coppice/one/head');
      expect(second).not.toBe(first);
      expect(tip(scene.repository, 'one')).toBe(second);
      const kept = scene.repository.git(
        'for-each-ref',
        '--contains',
        first,
        '--format=%(refname)',
        'refs/coppice/one/tails',
      );
      expect(kept).not.toBe('');
      await scene.exec('one', 'git switch -qc side; echo s > s.txt; git add .; git commit -qm side; git switch -q -');
      expect(scene.repository.git('log', '-1', '--format=%s', 'refs/coppice/one/heads/side')).toBe('side');
      expect(tip(scene.repository, 'one')).toBe(second);
    });

    it('folds the tail into a commit, with the repository’s hooks run inside', async () => {
      const scene = sceneOn(ground, { 'a.txt': '1\n' });
      const hook = '#!/bin/sh\necho "hook sees $(git diff --cached --name-only)"\n! grep -q forbidden a.txt\n';
      writeFileSync(join(scene.repository.path, '.git/hooks/pre-commit'), hook, { mode: 0o755 });
      await scene.create('one');
      await scene.exec('one', 'echo forbidden > a.txt');
      const before = tip(scene.repository, 'one');
      const refused = await scene.cli.run(['commit', 'one', '-m', 'Try']);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('hook sees a.txt');
      expect(tip(scene.repository, 'one')).toBe(before);
      await scene.exec('one', 'echo fine > a.txt');
      await scene.cli.json(['commit', 'one', '-m', 'Make it fine\n\nAnd say why.']);
      expect(scene.repository.git('log', '--format=%s', 'main..coppice/one')).toBe('Make it fine');
      expect(scene.repository.git('log', '-1', '--format=%an', 'coppice/one')).toBe('Ursula User');
      const folded = scene.repository.git('for-each-ref', '--format=%(objectname)', 'refs/coppice/one/tails');
      expect(folded.split('\n')).toHaveLength(1);
      expect((await scene.exec('one', 'git status --porcelain; git log -1 --format=%s')).stdout).toBe('Make it fine\n');
      const nothing = await scene.cli.run(['commit', 'one', '-m', 'Again']);
      expect(nothing).toMatchObject({ status: 1 });
    });

    it('merges into the checked-out branch and into one that is not, and touches nothing on a conflict', async () => {
      const scene = sceneOn(ground, { 'a.txt': '1\n', 'b.txt': '1\n', 'mine.txt': 'mine\n' });
      const { repository, cli } = scene;
      repository.git('branch', 'release');
      await scene.create('good');
      await scene.create('bad');
      await scene.exec('good', 'echo good > a.txt; mkdir d; echo new > d/new.txt');
      await scene.exec('bad', 'echo bad > a.txt');
      writeFileSync(join(repository.path, 'mine.txt'), 'changed by me\n');
      const merged = await cli.json<{ kind: string; into: string }>(['merge', 'good']);
      expect(merged).toMatchObject({ kind: 'merge', into: 'main' });
      expect(repository.git('log', '-1', '--format=%s')).toBe('Merge environment good');
      expect(contentOf(repository.path)).toHaveProperty(['d/new.txt']);
      expect(repository.git('status', '--porcelain')).toBe(' M mine.txt');
      const before = fingerprintOfCheckout(repository.path);
      const head = repository.git('rev-parse', 'main');
      const conflict = await cli.json<{ error: { data: { files: unknown[] } } }>(['merge', 'bad'], { allow: [4] });
      expect(conflict.error.data.files).toMatchObject([{ path: 'a.txt', kind: 'content' }]);
      expect(fingerprintOfCheckout(repository.path)).toEqual(before);
      expect(repository.git('rev-parse', 'main')).toBe(head);
      await cli.json(['merge', 'bad', '--into', 'release']);
      expect(show(repository, 'release:a.txt')).toBe('bad');
      const others = (files: Record<string, string>) =>
        Object.entries(files).filter(([path]) => !path.endsWith('heads/release'));
      expect(others(fingerprintOfCheckout(repository.path))).toEqual(others(before));
    });

    it('brings the target in, lets the conflict be resolved inside with plain git, and merges then', async () => {
      const scene = sceneOn(ground, { 'a.txt': '1\n' });
      await scene.create('one');
      await scene.exec('one', 'echo theirs > a.txt');
      scene.repository.commit('ours', { 'a.txt': 'ours\n' });
      await scene.cli.json(['commit', 'one', '-m', 'Theirs']);
      const conflict = await scene.cli.json<{ error: { data: { files: unknown[] } } }>(['sync', 'one'], { allow: [4] });
      expect(conflict.error.data.files).toEqual([{ path: 'a.txt', kind: 'content' }]);
      const inside = await scene.exec('one', 'git status --porcelain; cat a.txt');
      expect(inside.stdout).toMatch(/^UU a\.txt\n<<<<<<< /);
      expect((await scene.cli.run(['merge', 'one'])).status).toBe(6);
      await scene.exec('one', 'echo both > a.txt; git add a.txt; git commit -q --no-edit');
      expect((await scene.cli.json<{ kind: string }>(['merge', 'one'])).kind).toBe('merge');
      expect(show(scene.repository, 'main:a.txt')).toBe('both');
    });

    it('applies uncommitted, again after the environment moved on, and refuses whole on a conflict', async () => {
      const scene = sceneOn(ground, { 'a.txt': '1\n2\n3\n4\n5\n', 'b.txt': 'b\n' });
      const { repository, cli } = scene;
      await scene.create('one');
      await scene.exec('one', "sed -i 's/^5$/five/' a.txt; echo new > new.txt");
      writeFileSync(join(repository.path, 'a.txt'), 'one\n2\n3\n4\n5\n');
      const head = repository.git('rev-parse', 'HEAD');
      await cli.json(['apply', 'one']);
      expect(contentOf(repository.path)).toHaveProperty(['new.txt']);
      expect(show(repository, ':a.txt')).toBe('1\n2\n3\n4\n5');
      expect(repository.git('diff', '--numstat', 'a.txt')).toMatch(/^2\t2\t/);
      await scene.exec('one', 'echo more >> new.txt; rm b.txt');
      const second = await cli.json<{ paths: string[] }>(['apply', 'one']);
      expect(second.paths.sort()).toEqual(['b.txt', 'new.txt']);
      expect(existsSync(join(repository.path, 'b.txt'))).toBe(false);
      expect(repository.git('rev-parse', 'HEAD')).toBe(head);
      await scene.exec('one', "sed -i 's/^1$/uno/' a.txt; echo other > other.txt");
      const before = fingerprintOfCheckout(repository.path);
      expect((await cli.run(['apply', 'one'])).status).toBe(4);
      expect(fingerprintOfCheckout(repository.path)).toEqual(before);
    });

    it('refuses to remove unmerged work, and brings back all of it', async () => {
      const scene = sceneOn(ground, { 'a.txt': '1\n' });
      const { repository, cli } = scene;
      const { worktree } = await scene.create('one');
      await scene.exec(
        'one',
        'echo commit > c.txt; git add c.txt; git commit -qm C; echo tail > t.txt; ln -s t.txt l; chmod +x t.txt',
      );
      const refused = await cli.run(['remove', 'one']);
      expect(refused.status).toBe(6);
      expect(refused.stderr).toContain('coppice merge one');
      writeFileSync(join(worktree, 'last second.txt'), 'not checkpointed yet\n');
      writeFileSync(join(worktree, 'huge.bin'), Buffer.alloc(11 * 2 ** 20, 7));
      const before = contentOf(worktree);
      const refs = repository.git(
        'for-each-ref',
        '--format=%(refname) %(objectname)',
        'refs/heads/coppice',
        'refs/coppice/one',
      );
      await cli.json(['remove', '--force', 'one']);
      expect(existsSync(worktree)).toBe(false);
      expect(repository.git('worktree', 'list', '--porcelain')).not.toContain('refs/heads/coppice');
      expect(repository.git('branch', '--list', 'coppice/*')).toBe('');
      expect((await cli.run(['show', 'one'])).status).toBe(3);
      repository.git('gc', '--quiet', '--prune=now');
      await cli.json(['restore', 'one']);
      expect(contentOf(worktree)).toEqual(before);
      const after = repository.git(
        'for-each-ref',
        '--format=%(refname) %(objectname)',
        'refs/heads/coppice',
        'refs/coppice/one',
      );
      const stable = (text: string) => text.split('\n').filter((line) => !/\/(record|one) /.test(line));
      expect(stable(after)).toEqual(stable(refs));
      expect((await scene.exec('one', 'git log -1 --format=%s; git status --porcelain')).stdout).toMatch(/^C\n/);
    });

    it('stops and starts with everything in place, and runs nothing while stopped', async () => {
      const scene = sceneOn(ground);
      await scene.create('one');
      await scene.exec('one', 'echo kept > "$HOME/kept"; echo work > work.txt');
      await scene.cli.json(['stop', 'one']);
      const refused = await scene.exec('one', 'true');
      expect(refused.status).toBe(5);
      expect(refused.stderr).toContain('coppice start one');
      await scene.cli.json(['start', 'one']);
      expect((await scene.exec('one', 'cat "$HOME/kept" work.txt')).stdout).toBe('kept\nwork\n');
    });

    it('keeps what it knows in git: without caches and with the container gone the list is the same', async () => {
      const scene = sceneOn(ground);
      await scene.create('one', '--title', 'T');
      await scene.exec('one', 'echo work > work.txt');
      const before = await scene.cli.json(['list']);
      rmSync(join(scene.repository.path, '.git/coppice'), { recursive: true, force: true });
      expect(await scene.cli.json(['list'])).toEqual(before);
      const again = await scene.cli.json<{ checkpoint: string | null }>(['checkpoint', 'one']);
      expect(again.checkpoint).toBeNull();
    });
  });
}
