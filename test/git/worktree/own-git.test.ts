import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import { gitFilePath } from '../../../src/git/worktree/own-git.ts';
import { makeRepository } from '../../support/repository.ts';
import { agentGit, author, contentOf, makeEnvironment, ownGitOf, place, setUp } from './support.ts';

const sandbox = [
  ...['--unshare-all', '--die-with-parent', '--clearenv', '--setenv', 'PATH', '/usr/bin:/bin', '--cap-drop', 'ALL'],
  ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
  ...[
    '--symlink',
    'usr/lib64',
    '/lib64',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    '--chdir',
    '/workspace',
  ],
];

describe('the base store', () => {
  it('holds the history of the base and nothing else', async () => {
    const setup = setUp({ files: { a: 'a\n' } });
    const first = setup.repository.git('rev-parse', 'HEAD');
    const second = setup.repository.commit('second', { b: 'b\n' });
    setup.repository.write({ a: 'a secret in a stash\n' });
    setup.repository.git('stash');
    const secret = setup.repository.git('rev-parse', 'stash@{0}:a');
    await setup.worktrees.shareBase(parseOid(second));
    const inStore = (...args: string[]) => setup.repository.gitIn(setup.store, ...args);
    expect(inStore('rev-list', '--all').split('\n')).toEqual([second, first]);
    expect(() => inStore('cat-file', '-e', secret)).toThrow();
    expect(inStore('fsck', '--full', '--strict')).toBe('');
    expect(inStore('config', 'extensions.preciousObjects')).toBe('true');
    expect(() => inStore('prune')).toThrow(/precious/);
    expect(existsSync(join(setup.store, 'objects/info/alternates'))).toBe(false);
  });

  it('takes later bases by what is new in them, and many of them without getting slow to read', async () => {
    const setup = setUp();
    const commits = Array.from({ length: 23 }, (_, index) => setup.repository.commit(`c${index}`, { f: `${index}\n` }));
    for (const commit of commits) await setup.worktrees.shareBase(parseOid(commit));
    const inStore = (...args: string[]) => setup.repository.gitIn(setup.store, ...args);
    expect(inStore('count-objects', '-v')).toContain('in-pack: 72');
    expect(existsSync(join(setup.store, 'objects/pack/multi-pack-index'))).toBe(true);
    expect(inStore('fsck', '--full')).toBe('');
    // An ancestor of what is there costs no pack.
    const packs = readdirSync(join(setup.store, 'objects/pack')).length;
    await setup.worktrees.shareBase(parseOid(setup.repository.git('rev-parse', `${commits[0]}~1`)));
    expect(readdirSync(join(setup.store, 'objects/pack'))).toHaveLength(packs);
  });

  it('is filled once by many that want the same at the same time', async () => {
    const setup = setUp();
    const tip = parseOid(setup.repository.git('rev-parse', 'HEAD'));
    const adapters = Array.from({ length: 10 }, () => setup.adapter(setup.common));
    await Promise.all(adapters.flatMap((adapter) => [adapter.shareBase(tip), adapter.shareBase(tip)]));
    expect(readdirSync(join(setup.store, 'objects/pack')).filter((file) => file.endsWith('.pack'))).toHaveLength(1);
    expect(readdirSync(join(setup.store, 'refs/bases'))).toEqual([tip]);
  });

  it('is shallow where the repository is', async () => {
    const origin = makeRepository();
    for (const message of ['two', 'three', 'four']) origin.commit(message, { f: message });
    const clone = join(origin.directory, 'clone');
    origin.git('clone', '-q', '--depth=2', `file://${origin.path}`, clone);
    const setup = setUp({ existing: { ...origin, path: clone, git: (...args) => origin.gitIn(clone, ...args) } });
    const at = await makeEnvironment(setup);
    expect(agentGit(setup, at, 'log', '--format=%s')).toBe('four\nthree');
    expect(agentGit(setup, at, 'fsck')).toBe('');
    expect(agentGit(setup, at, 'status', '--porcelain')).toBe('');
    // The user completes the history later: what exists goes on, what comes anew works.
    origin.gitIn(clone, 'fetch', '-q', '--unshallow');
    const later = await makeEnvironment(setup, 'two');
    expect(agentGit(setup, later, 'status', '--porcelain')).toBe('');
    expect(agentGit(setup, later, 'fsck')).toBe('');
  });
});

describe('the own git directory', () => {
  it('gives the agent git as it is anywhere, with nothing to look at again in the first status', async () => {
    const setup = setUp({ files: { 'a/b': 'b\n', c: 'c\n', '.gitignore': 'ignored\n' } });
    setup.repository.commit('second', { c: 'cc\n' });
    setup.repository.git('config', 'core.eol', 'lf');
    setup.repository.git('remote', 'add', 'origin', 'https://user:pass@example.org/team/project.git');
    writeFileSync(join(setup.common, 'info/exclude'), 'local-only\n');
    const at = await makeEnvironment(setup);
    expect(agentGit(setup, at, 'diff-files', '--name-only')).toBe('');
    expect(agentGit(setup, at, 'status', '--porcelain', '--branch')).toBe('## coppice/one');
    expect(agentGit(setup, at, 'log', '--format=%s')).toBe('second\nfirst');
    expect(agentGit(setup, at, 'config', 'user.name')).toBe(author.name);
    expect(agentGit(setup, at, 'config', 'user.email')).toBe(author.email);
    expect(agentGit(setup, at, 'config', 'core.eol')).toBe('lf');
    expect(agentGit(setup, at, 'remote', '-v')).toContain('https://example.org/team/project.git (fetch)');
    expect(contentOf(at.directories.git, 'config')).not.toContain('pass');
    writeFileSync(join(at.directories.tree, 'local-only'), '');
    writeFileSync(join(at.directories.tree, 'c'), 'changed\n');
    expect(agentGit(setup, at, 'status', '--porcelain')).toBe(' M c');
    agentGit(setup, at, 'stash');
    agentGit(setup, at, 'stash', 'pop');
    agentGit(setup, at, 'commit', '-q', '-am', 'third');
    expect(agentGit(setup, at, 'log', '--format=%s %an', '-1')).toBe(`third ${author.name}`);
    agentGit(setup, at, 'gc', '-q', '--prune=now');
    expect(agentGit(setup, at, 'fsck')).toBe('');
    expect(setup.repository.git('rev-parse', at.branch)).toBe(at.tip);
    expect(setup.repository.git('stash', 'list')).toBe('');
  });

  it('gives other repositories in the same home an author too, and leaves alone what somebody has written there', async () => {
    const setup = setUp();
    const at = await makeEnvironment(setup);
    const nested = join(at.directories.tree, 'nested');
    const { PATH } = setup.repository.env;
    const env = { PATH, HOME: at.directories.home, GIT_CONFIG_NOSYSTEM: '1' };
    execFileSync('git', ['init', '-q', nested], { env });
    execFileSync('git', ['commit', '-q', '--allow-empty', '-m', 'Nested'], { cwd: nested, env });
    const by = execFileSync('git', ['log', '--format=%an <%ae>'], { cwd: nested, env, encoding: 'utf8' });
    expect(by).toBe(`${author.name} <${author.email}>\n`);
    const two = place(setup, 'two');
    mkdirSync(two.directories.home, { recursive: true });
    writeFileSync(join(two.directories.home, '.gitconfig'), '# mine\n');
    await setup.worktrees.create(two);
    await setup.worktrees.createOwnGit(ownGitOf(two));
    expect(contentOf(two.directories.home, '.gitconfig')).toBe('# mine\n');
  });

  it('starts at the last commit: what later checkpoints hold is uncommitted there', async () => {
    const setup = setUp({ files: { a: 'a\n', b: 'b\n', gone: '' } });
    const head = parseOid(setup.repository.git('rev-parse', 'HEAD'));
    setup.repository.git('rm', '-q', 'gone');
    setup.repository.commit('a checkpoint', { a: 'aa\n', fresh: 'f\n' });
    const at = place(setup);
    setup.repository.git('reset', '-q', '--hard', head);
    await setup.worktrees.create(at);
    await setup.worktrees.shareBase(head);
    await setup.worktrees.createOwnGit(ownGitOf(at, { head }));
    expect(agentGit(setup, at, 'rev-parse', 'HEAD')).toBe(head);
    expect(agentGit(setup, at, 'status', '--porcelain').split('\n')).toEqual([' M a', ' D gone', '?? fresh']);
    expect(agentGit(setup, at, 'diff', '--cached', '--name-only')).toBe('');
    expect(() => agentGit(setup, at, 'cat-file', '-e', at.tip)).toThrow();
    // On the host the same files are clean against the tip.
    const registration = join(setup.common, 'worktrees/coppice-one');
    const host = ['--git-dir', registration, '--work-tree', at.directories.tree];
    expect(setup.repository.git(...host, 'status', '--porcelain')).toBe('');
  });

  it('keeps commits of its own out of the shared store', async () => {
    const setup = setUp();
    const base = parseOid(setup.repository.git('rev-parse', 'HEAD'));
    const own = parseOid(setup.repository.commit('of an earlier life', { x: 'x\n' }));
    const at = place(setup);
    await setup.worktrees.create(at);
    await setup.worktrees.shareBase(base);
    await setup.worktrees.createOwnGit(ownGitOf(at));
    expect(agentGit(setup, at, 'log', '--format=%s')).toBe('of an earlier life\nfirst');
    expect(agentGit(setup, at, 'fsck')).toBe('');
    expect(() => setup.repository.gitIn(setup.store, 'cat-file', '-e', own)).toThrow();
  });

  it('brings the hooks of the repository, but no sample, no link, and none where the repository names another place', async () => {
    const setup = setUp({ files: { '.husky/_/pre-commit': { executable: '#!/bin/sh\nexit 3\n' } } });
    const hooks = join(setup.common, 'hooks');
    writeFileSync(join(hooks, 'commit-msg'), '#!/bin/sh\necho "Signed-by: hook" >> "$1"\n');
    chmodSync(join(hooks, 'commit-msg'), 0o755);
    writeFileSync(join(hooks, 'not-executable'), '#!/bin/sh\n');
    symlinkSync('/bin/true', join(hooks, 'pre-push'));
    const at = await makeEnvironment(setup);
    expect(readdirSync(join(at.directories.git, 'hooks'))).toEqual(['commit-msg']);
    agentGit(setup, at, 'commit', '-q', '--allow-empty', '-m', 'x');
    expect(agentGit(setup, at, 'log', '-1', '--format=%B')).toContain('Signed-by: hook');

    setup.repository.git('config', 'core.hooksPath', '.husky/_');
    const other = await makeEnvironment(setup, 'two');
    expect(existsSync(join(other.directories.git, 'hooks'))).toBe(false);
    expect(() => agentGit(setup, other, 'commit', '-q', '--allow-empty', '-m', 'x')).toThrow();

    setup.repository.git('config', 'core.hooksPath', '/home/me/hooks');
    const third = await makeEnvironment(setup, 'three');
    expect(contentOf(third.directories.git, 'config')).not.toContain('/home/me');
  });

  it('carries sparse patterns over', async () => {
    const setup = setUp({ files: { 'in/a': 'a\n', 'out/b': 'b\n' } });
    setup.repository.git('sparse-checkout', 'set', '--cone', '--sparse-index', 'in');
    const at = await makeEnvironment(setup);
    expect(agentGit(setup, at, 'status', '--porcelain')).toBe('');
    expect(agentGit(setup, at, 'sparse-checkout', 'list')).toBe('in');
    agentGit(setup, at, 'sparse-checkout', 'disable');
    expect(existsSync(join(at.directories.tree, 'out/b'))).toBe(true);
  });

  it('works in a SHA-256 repository', async () => {
    const setup = setUp({ objectFormat: 'sha256' });
    const at = await makeEnvironment(setup);
    expect(agentGit(setup, at, 'status', '--porcelain')).toBe('');
    expect(agentGit(setup, at, 'log', '--format=%H')).toBe(at.tip);
  });

  it('leaves the .git file of the tree to git when the runtime mounts its own over it', async () => {
    const setup = setUp();
    const at = place(setup);
    await setup.worktrees.create(at);
    await setup.worktrees.shareBase(at.tip);
    const inside = { tree: '/workspace', git: '/coppice/git', base: '/coppice/base' };
    await setup.worktrees.createOwnGit(ownGitOf(at, { inside, linkTree: false }));
    expect(contentOf(gitFilePath(at.directories))).toBe('gitdir: /coppice/git\n');
    expect(lstatSync(gitFilePath(at.directories)).mode & 0o222).toBe(0);
    expect(contentOf(at.directories.git, 'objects/info/alternates')).toBe('/coppice/base/objects\n');
    expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain', '--branch')).toBe('## coppice/one');
    expect(readdirSync(at.directories.root).sort()).toEqual(['git', 'gitfile', 'home', 'tree']);
  });

  it('works mounted elsewhere, with its .git file out of reach, and leaves the registration on the host alone', async () => {
    const setup = setUp({ files: { a: 'a\n' } });
    const at = place(setup);
    await setup.worktrees.create(at);
    await setup.worktrees.shareBase(at.tip);
    const inside = { tree: '/workspace', git: '/coppice/git', base: '/coppice/base' };
    await setup.worktrees.createOwnGit(ownGitOf(at, { inside, linkTree: false }));
    const { tree, git } = at.directories;
    const mounts = ['--bind', tree, inside.tree, '--ro-bind', gitFilePath(at.directories), `${inside.tree}/.git`];
    const shell = (script: string) =>
      execFileSync(
        'bwrap',
        [
          ...sandbox,
          ...mounts,
          '--bind',
          git,
          inside.git,
          '--ro-bind',
          setup.store,
          inside.base,
          '--',
          'sh',
          '-c',
          script,
        ],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    expect(shell('git diff-files --name-only; git status --porcelain')).toBe('');
    expect(() => shell('rm -f .git')).toThrow();
    expect(() => shell('mv .git x')).toThrow();
    expect(() => shell('echo gitdir: /tmp > .git')).toThrow();
    expect(() => shell(`touch ${inside.base}/objects/x`)).toThrow();
    shell(
      'echo b > b && git add b && git commit -q -m b && git worktree prune --expire=now && git gc -q --prune=now && git fsck',
    );
    expect(shell(`cd ${inside.git} && git log --format=%s`)).toBe('b\nfirst\n');
    expect(setup.repository.git('worktree', 'list', '--porcelain')).toContain(`worktree ${tree}\nHEAD ${at.tip}\n`);
    expect(setup.repository.gitIn(tree, 'status', '--porcelain')).toBe('?? b');
  });

  it('never replaces a git directory that is there', async () => {
    const setup = setUp();
    const at = await makeEnvironment(setup);
    const commit = agentGit(setup, at, 'commit-tree', '-m', 'x', 'HEAD^{tree}');
    await expect(setup.worktrees.createOwnGit(ownGitOf(at))).rejects.toMatchObject({ code: 'own-git-exists' });
    expect(agentGit(setup, at, 'cat-file', '-t', commit)).toBe('commit');
    expect(readdirSync(at.directories.root).sort()).toEqual(['git', 'home', 'tree']);
  });
});
