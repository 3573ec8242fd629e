import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import { removeTree } from '../../../src/git/worktree/remove-tree.ts';
import { temporaryDirectory, writeFiles } from '../../support/repository.ts';
import { contentOf, makeEnvironment, place, type Setup, setUp } from './support.ts';

/** Two more commits on an environment's branch, made behind the back of its worktree. */
function advance(setup: Setup, branch: string, files: Readonly<Record<string, string>>) {
  const { repository } = setup;
  const env = join(repository.directory, 'clone');
  repository.git('clone', '-q', '--shared', '--branch', branch.replace('refs/heads/', ''), repository.path, env);
  writeFiles(env, files);
  repository.gitIn(env, 'add', '-A');
  repository.gitIn(env, 'commit', '-q', '-m', 'checkpoint');
  repository.gitIn(env, 'push', '-q', 'origin', 'HEAD:refs/coppice/one/arriving');
  repository.git('update-ref', branch, 'refs/coppice/one/arriving');
  return parseOid(repository.gitIn(env, 'rev-parse', 'HEAD'));
}

describe('refreshIndex', () => {
  it('brings the index to the tip and leaves what is known of other files', async () => {
    const setup = setUp({ files: { a: 'a\n', b: 'b\n', 'd/c': 'c\n' } });
    const at = await makeEnvironment(setup);
    const tip = advance(setup, at.branch, { a: 'new\n', 'd/new': 'n\n' });
    writeFiles(at.directories.tree, { a: 'new\n', 'd/new': 'n\n' });
    await setup.worktrees.refreshIndex(at.name, tip);
    const host = ['--git-dir', join(setup.common, 'worktrees/coppice-one'), '--work-tree', at.directories.tree];
    expect(setup.repository.git(...host, 'diff-files', '--name-only').split('\n')).toEqual(['a', 'd/new']);
    expect(setup.repository.git(...host, 'diff-index', '--cached', '--name-only', tip)).toBe('');
    expect(setup.repository.git(...host, 'status', '--porcelain')).toBe('');
  });

  it('reads no file of the worktree and runs nothing that is in it', async () => {
    const setup = setUp({ files: { a: 'a\n', 'd/c': 'c\n' } });
    const at = await makeEnvironment(setup);
    const tip = advance(setup, at.branch, { a: 'new\n', 'd/c': 'cc\n', 'e/f': 'f\n' });
    // With the whole tree out of the way the result is the same, so nothing in it was asked.
    renameSync(at.directories.tree, `${at.directories.tree}-away`);
    await setup.worktrees.refreshIndex(at.name, tip);
    renameSync(`${at.directories.tree}-away`, at.directories.tree);
    const registration = join(setup.common, 'worktrees/coppice-one');
    expect(setup.repository.git('--git-dir', registration, 'diff-index', '--cached', '--name-only', tip)).toBe('');
    expect(setup.repository.git('--git-dir', registration, 'write-tree')).toBe(
      setup.repository.git('rev-parse', `${tip}^{tree}`),
    );
  });

  it('keeps what is outside of a sparse checkout outside', async () => {
    const setup = setUp({ files: { 'in/a': 'a\n', 'out/b': 'b\n' } });
    setup.repository.git('sparse-checkout', 'set', '--cone', 'in');
    const at = place(setup);
    await setup.worktrees.create(at);
    const tip = advance(setup, at.branch, { 'in/a': 'aa\n', 'out/b': 'bb\n', 'out/more': 'm\n' });
    writeFiles(at.directories.tree, { 'in/a': 'aa\n' });
    await setup.worktrees.refreshIndex(at.name, tip);
    expect(setup.repository.gitIn(at.directories.tree, 'status', '--porcelain')).toBe('');
    expect(setup.repository.gitIn(at.directories.tree, 'ls-files', '-t').split('\n')).toEqual([
      'H in/a',
      'S out/b',
      'S out/more',
    ]);
  });

  it('says so when the index is locked, and changes nothing', async () => {
    const setup = setUp({ files: { a: 'a\n' } });
    const at = await makeEnvironment(setup);
    const tip = advance(setup, at.branch, { a: 'new\n' });
    const index = join(setup.common, 'worktrees/coppice-one/index');
    const before = readFileSync(index);
    writeFileSync(`${index}.lock`, '');
    await expect(setup.worktrees.refreshIndex(at.name, tip)).rejects.toMatchObject({ code: 'index-locked' });
    expect(readFileSync(index).equals(before)).toBe(true);
    expect(readdirSync(dirname(index)).sort()).toEqual([
      'HEAD',
      'commondir',
      'gitdir',
      'index',
      'index.lock',
      'locked',
    ]);
  });
});

describe('remove', () => {
  it('leaves nothing of the environment and everything of the others, and may be repeated', async () => {
    const setup = setUp();
    const at = await makeEnvironment(setup, 'one');
    const other = await makeEnvironment(setup, 'one-more');
    expect(existsSync(at.directories.home)).toBe(true);
    const outside = join(setup.repository.directory, 'outside');
    writeFiles(outside, { keep: 'me\n' });
    symlinkSync(outside, join(at.directories.tree, 'link'));
    mkdirSync(join(at.directories.tree, 'closed/inner'), { recursive: true });
    writeFileSync(join(at.directories.tree, 'closed/inner/file'), '');
    chmodSync(join(at.directories.tree, 'closed/inner'), 0o000);
    chmodSync(join(at.directories.tree, 'closed'), 0o500);
    await asOrdinaryUser(setup.repository.directory, () => setup.worktrees.remove(at.name, at.directories));
    await setup.worktrees.remove(at.name, at.directories);
    expect(readdirSync(dirname(at.directories.root)).sort()).toEqual(['.base.git', 'one-more']);
    expect(readdirSync(join(setup.common, 'worktrees'))).toEqual(['coppice-one-more']);
    expect(readdirSync(join(setup.common, 'coppice'))).toEqual([]);
    expect(contentOf(outside, 'keep')).toBe('me\n');
    expect(setup.repository.gitIn(other.directories.tree, 'status', '--porcelain')).toBe('');
    // The name is free again.
    await setup.worktrees.create(at);
  });

  it.each(['registration', 'tree', 'git'])('takes what is left when the %s is missing', async (missing) => {
    const setup = setUp();
    const at = await makeEnvironment(setup);
    const paths = {
      registration: join(setup.common, 'worktrees/coppice-one'),
      tree: at.directories.tree,
      git: at.directories.git,
    };
    rmSync(paths[missing as keyof typeof paths], { recursive: true });
    await setup.worktrees.remove(at.name, at.directories);
    expect(existsSync(at.directories.root)).toBe(false);
    expect(existsSync(join(setup.common, 'worktrees'))).toBe(false);
  });

  it('names what it could not remove, and finishes the next time', async () => {
    const setup = setUp();
    const at = await makeEnvironment(setup);
    const parent = dirname(at.directories.root);
    await asOrdinaryUser(setup.repository.directory, async () => {
      chmodSync(parent, 0o555);
      await expect(setup.worktrees.remove(at.name, at.directories)).rejects.toMatchObject({
        code: 'cannot-remove',
        data: { residue: [at.directories.root] },
      });
      chmodSync(parent, 0o755);
    });
    expect(readdirSync(at.directories.root)).toEqual([]);
    expect(await setup.worktrees.registered()).toEqual([]);
    await setup.worktrees.remove(at.name, at.directories);
    expect(existsSync(at.directories.root)).toBe(false);
  });

  it('finishes what an earlier removal left aside, of this environment only', async () => {
    const setup = setUp();
    const at = await makeEnvironment(setup);
    const parent = dirname(at.directories.root);
    for (const aside of ['.removing~one~0a', '.removing~one-more~0b'])
      writeFiles(parent, { [`${aside}/tree/file`]: '' });
    await setup.worktrees.remove(at.name, at.directories);
    expect(readdirSync(parent).sort()).toEqual(['.base.git', '.removing~one-more~0b']);
  });

  it('refuses a registration that belongs to a directory elsewhere', async () => {
    const setup = setUp();
    const at = place(setup);
    await setup.worktrees.create(at);
    const moved = join(setup.repository.directory, 'moved');
    setup.repository.git('worktree', 'move', '--force', '--force', at.directories.tree, moved);
    await expect(setup.worktrees.remove(at.name, at.directories)).rejects.toMatchObject({
      code: 'worktree-elsewhere',
      data: { worktree: moved },
    });
    expect(setup.repository.gitIn(moved, 'status', '--porcelain')).toBe('');
  });

  it('deletes deep trees with few descriptors, and names that are not UTF-8', async () => {
    const directory = join(temporaryDirectory(), 'deep');
    const name = Buffer.from([0x61, 0xff, 0x0a]);
    let path = Buffer.from(directory);
    for (let depth = 0; depth < 400; depth += 1) {
      mkdirSync(path);
      writeFileSync(Buffer.concat([path, Buffer.from('/file')]), '');
      path = Buffer.concat([path, Buffer.from('/'), name]);
    }
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, open());
    }, 0);
    expect(await removeTree(directory).finally(() => clearInterval(watch))).toEqual([]);
    expect(existsSync(directory)).toBe(false);
    expect(most - before).toBeLessThan(100);
    expect(open()).toBe(before);
  });
});

/** Root may do everything, which would hide what permissions do. */
async function asOrdinaryUser(owned: string, body: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0 || process.seteuid === undefined) return body();
  const ordinary = 65_534;
  chownAll(owned, ordinary);
  const back = () => {
    process.seteuid?.(0);
    if (existsSync(owned)) chownAll(owned, 0);
  };
  onTestFinished(back);
  process.seteuid(ordinary);
  try {
    await body();
  } finally {
    back();
  }
}

function chownAll(path: string, uid: number): void {
  lchownSync(path, uid, uid);
  if (!lstatSync(path).isDirectory()) return;
  for (const entry of readdirSync(path)) chownAll(join(path, entry), uid);
}
