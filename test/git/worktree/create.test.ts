import { existsSync, lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import { writeFiles } from '../../support/repository.ts';
import { contentOf, place, setUp } from './support.ts';

describe('create', () => {
  it('makes what git shows as an ordinary, locked, clean worktree', async () => {
    const setup = setUp({
      files: { 'a/b.txt': 'b\n', run: { executable: '#!/bin/sh\n' }, link: { link: 'a/b.txt' }, 'ümlaut "x"': 'u\n' },
    });
    const config = contentOf(setup.common, 'config');
    const at = place(setup);
    await setup.worktrees.create(at);
    const { tree } = at.directories;
    expect(setup.repository.git('worktree', 'list', '--porcelain')).toContain(
      `worktree ${tree}\nHEAD ${at.tip}\nbranch refs/heads/coppice/one\nlocked coppice environment one\n`,
    );
    expect(setup.repository.gitIn(tree, 'status', '--porcelain=v2', '--branch')).toBe(
      `# branch.oid ${at.tip}\n# branch.head coppice/one`,
    );
    // Nothing to compare again: what the index knows of the files is true.
    expect(setup.repository.gitIn(tree, 'diff-files', '--name-only')).toBe('');
    expect(setup.repository.gitIn(tree, 'branch', '--show-current')).toBe('coppice/one');
    expect(lstatSync(join(tree, 'run')).mode & 0o111).not.toBe(0);
    expect(lstatSync(join(tree, 'link')).isSymbolicLink()).toBe(true);
    expect(contentOf(setup.common, 'config')).toBe(config);
    setup.repository.git('worktree', 'prune', '--expire=now');
    expect(await setup.worktrees.registered()).toEqual(['one']);
    expect(setup.repository.git('fsck', '--no-dangling')).toBe('');
  });

  it('runs no hook and no filter, and still converts line endings', async () => {
    const setup = setUp({
      files: { '.gitattributes': '*.txt text eol=crlf\n*.bin filter=lfs\n', 'a.txt': 'one\ntwo\n' },
    });
    const proof = join(setup.repository.directory, 'proof');
    setup.repository.commit('with pointer', { 'x.bin': 'version https://git-lfs.github.com/spec/v1\n' });
    setup.repository.git('config', 'filter.lfs.smudge', `touch ${proof}; cat`);
    setup.repository.git('config', 'filter.lfs.required', 'true');
    setup.repository.git('config', 'core.fsmonitor', `touch ${proof}`);
    for (const hook of ['post-checkout', 'post-index-change', 'reference-transaction']) {
      writeFileSync(join(setup.common, 'hooks', hook), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
    }
    const at = place(setup, 'one');
    // Making the branch above was the user's own git: its hook may run.
    expect(existsSync(proof)).toBe(true);
    rmSync(proof);
    await setup.worktrees.create(at);
    expect(existsSync(proof)).toBe(false);
    expect(contentOf(at.directories.tree, 'a.txt')).toBe('one\r\ntwo\r\n');
    expect(contentOf(at.directories.tree, 'x.bin')).toContain('git-lfs.github.com');
  });

  it('leaves a submodule as an empty directory', async () => {
    const setup = setUp();
    const gitlink = setup.repository.git('rev-parse', 'HEAD');
    setup.repository.git('update-index', '--add', '--cacheinfo', `160000,${gitlink},sub`);
    setup.repository.git('commit', '-q', '-m', 'submodule');
    const at = place(setup);
    await setup.worktrees.create(at);
    expect(readdirSync(join(at.directories.tree, 'sub'))).toEqual([]);
    expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain')).toBe('');
  });

  it('inherits the sparse patterns of the caller, whether they are kept per worktree or not', async () => {
    const setup = setUp({ files: { 'in/a': '', 'out/b': '', top: '' } });
    setup.repository.git('sparse-checkout', 'set', '--cone', 'in');
    const at = place(setup, 'one');
    await setup.worktrees.create(at);
    expect(readdirSync(at.directories.tree).sort()).toEqual(['.git', 'in', 'top']);
    expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain')).toBe('');
    expect(setup.repository.gitIn(at.directories.tree, 'sparse-checkout', 'list')).toBe('in');

    // A caller in a full worktree of the same repository gets everything.
    const full = join(setup.repository.directory, 'full');
    setup.repository.git('worktree', 'add', '-q', '--detach', full);
    setup.repository.gitIn(full, 'sparse-checkout', 'disable');
    const other = place(setup, 'two');
    await setup.adapter(setup.repository.gitIn(full, 'rev-parse', '--absolute-git-dir')).create(other);
    expect(readdirSync(other.directories.tree).sort()).toEqual(['.git', 'in', 'out', 'top']);

    // Without extensions.worktreeConfig the switch is in the shared file, the patterns are not.
    const plain = setUp({ files: { 'in/a': '', 'out/b': '' } });
    plain.repository.git('config', 'core.sparseCheckout', 'true');
    writeFiles(plain.common, { 'info/sparse-checkout': '/in/\n' });
    plain.repository.git('read-tree', '-mu', 'HEAD');
    const third = place(plain, 'three');
    await plain.worktrees.create(third);
    expect(readdirSync(third.directories.tree).sort()).toEqual(['.git', 'in']);
    expect(existsSync(join(plain.common, 'worktrees/coppice-three/config.worktree'))).toBe(false);
  });

  it('works in a SHA-256 repository', async () => {
    const setup = setUp({ objectFormat: 'sha256' });
    const at = place(setup);
    await setup.worktrees.create(at);
    expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain')).toBe('');
    expect(at.tip).toHaveLength(64);
  });

  it('leaves nothing behind when it throws', async () => {
    const setup = setUp();
    const at = place(setup);
    const missing = parseOid('0123456789'.repeat(4));
    await expect(setup.worktrees.create({ ...at, tip: missing })).rejects.toMatchObject({ code: 'git-failed' });
    expect(existsSync(at.directories.root)).toBe(false);
    expect(existsSync(join(setup.common, 'worktrees'))).toBe(false);
    expect(readdirSync(join(setup.common, 'coppice'))).toEqual([]);
    await setup.worktrees.create(at);
  });

  it('says in a partial clone what is missing', async () => {
    const origin = setUp({ files: { 'a.txt': 'a\n' } });
    origin.repository.git('config', 'uploadpack.allowFilter', 'true');
    const clone = join(origin.repository.directory, 'clone');
    origin.repository.git(
      'clone',
      '-q',
      '--no-checkout',
      '--filter=blob:none',
      `file://${origin.repository.path}`,
      clone,
    );
    // The server is away.
    origin.repository.gitIn(clone, 'remote', 'set-url', 'origin', 'file:///nonexistent');
    const setup = setUp({
      existing: { ...origin.repository, path: clone, git: (...args) => origin.repository.gitIn(clone, ...args) },
    });
    const at = place(setup);
    await expect(setup.worktrees.create(at)).rejects.toMatchObject({ code: 'partial-clone' });
    await expect(setup.worktrees.shareBase(at.tip)).rejects.toMatchObject({ code: 'partial-clone' });
  });

  it('never takes over a directory or a registration that is there', async () => {
    const setup = setUp();
    const at = place(setup);
    await setup.worktrees.create(at);
    await expect(setup.worktrees.create(at)).rejects.toMatchObject({ code: 'directory-exists' });
    expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain')).toBe('');
    const elsewhere = { ...at.directories, root: `${at.directories.root}-2`, tree: `${at.directories.root}-2/tree` };
    await expect(setup.worktrees.create({ ...at, directories: elsewhere })).rejects.toMatchObject({
      code: 'worktree-exists',
    });
    expect(existsSync(elsewhere.root)).toBe(false);
    expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain')).toBe('');
  });

  it('makes fifty at once while the user prunes', async () => {
    const setup = setUp({ files: { 'a/b': 'b\n', c: 'c\n' } });
    const places = Array.from({ length: 50 }, (_, index) => place(setup, `env-${index}`));
    const all = Promise.all(places.map((at) => setup.worktrees.create(at)));
    let pruning = true;
    const prune = (async () => {
      while (pruning) await setup.git.run(['worktree', 'prune', '--expire=now']);
    })();
    await all.finally(() => {
      pruning = false;
    });
    await prune;
    expect(await setup.worktrees.registered()).toHaveLength(50);
    for (const at of places) {
      expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain', '--branch')).toBe(
        `## coppice/${at.name}`,
      );
    }
  });
});
