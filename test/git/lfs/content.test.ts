/** Where a repository has the content of LFS files, its worktrees have it too, and git inside takes it for unchanged. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { parseOid } from '../../../src/domain/oid.ts';
import { makeRepository } from '../../support/repository.ts';
import { agentGit, makeEnvironment, type Place, place, type Setup, setUp } from '../worktree/support.ts';

const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
const pointer = (content: string) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`;

/** A repository that real git-lfs has filled. */
function scene() {
  const repository = makeRepository({ files: { '.gitattributes': '*.bin filter=lfs\n' } });
  repository.git('lfs', 'install', '--local', '--skip-repo');
  repository.commit('content', {
    'a.bin': 'content of a',
    'd/run.bin': { executable: 'content of run' },
    'b.md': 'b\n',
  });
  const object = (content: string) => {
    const hash = sha256(content);
    return join(repository.path, '.git/lfs/objects', hash.slice(0, 2), hash.slice(2, 4), hash);
  };
  return { repository, object };
}

/** Git as the agent has it, in an image with few programs. */
function insideWithoutLfs(setup: Setup, at: Place) {
  const { repository } = setup;
  const directory = join(repository.directory, 'bin');
  mkdirSync(directory);
  for (const tool of ['git', 'sh', 'mktemp', 'cat', 'wc', 'sha256sum', 'cut', 'mkdir', 'chmod', 'mv', 'rm', 'sed']) {
    const real = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
    execFileSync('ln', ['-s', real, join(directory, tool)]);
  }
  const inside = { ...setup, repository: { ...repository, env: { ...repository.env, PATH: directory } } };
  return (...args: string[]) => agentGit(inside, at, ...args);
}

test('a worktree has content where it is here, with its mode, and pointers elsewhere; the store is not shared by name', async () => {
  const { repository, object } = scene();
  repository.commit('gone', { 'gone.bin': 'content that is gone' });
  rmSync(object('content that is gone'));
  const setup = setUp({ existing: repository });
  const at = place(setup);
  mkdirSync(at.directories.root, { recursive: true });
  const { directories, name, branch, tip } = at;
  const made = await setup.worktrees.create({ name, directories, branch, tip });
  expect(made).toMatchObject({ content: 2, pointers: 1 });
  const file = (path: string) => join(directories.tree, path);
  expect(readFileSync(file('a.bin'), 'utf8')).toBe('content of a');
  expect(readFileSync(file('d/run.bin'), 'utf8')).toBe('content of run');
  expect(lstatSync(file('d/run.bin')).mode & 0o100).toBe(0o100);
  expect(readFileSync(file('gone.bin'), 'utf8')).toBe(pointer('content that is gone'));
  writeFileSync(file('a.bin'), 'overwritten in place');
  expect(readFileSync(object('content of a'), 'utf8')).toBe('content of a');
  await setup.worktrees.withStaged(directories, tip, ['a.bin' as BytePath, 'b.md' as BytePath], async (staged) => {
    expect(readFileSync(staged.sourceOf('a.bin' as BytePath), 'utf8')).toBe('content of a');
  });
});

test('git inside needs no git-lfs: clean after checkout, pointers in its commits, content again from them', async () => {
  const { repository } = scene();
  const setup = setUp({ existing: repository });
  const at = await makeEnvironment(setup);
  const tree = at.directories.tree;
  const git = insideWithoutLfs(setup, at);
  expect(git('status', '--porcelain')).toBe('');
  writeFileSync(join(tree, 'a.bin'), 'new content\n');
  writeFileSync(join(tree, 'new.bin'), Buffer.alloc(3000, 200));
  writeFileSync(join(tree, 'empty.bin'), '');
  expect(
    git('status', '--porcelain')
      .split('\n')
      .map((line) => line.trim()),
  ).toEqual(['M a.bin', '?? empty.bin', '?? new.bin']);
  git('add', '-A');
  git('commit', '-q', '-m', 'work');
  expect(`${git('show', 'HEAD:a.bin')}\n`).toBe(pointer('new content\n'));
  expect(git('show', 'HEAD:new.bin')).toContain('size 3000');
  expect(git('cat-file', '-s', 'HEAD:empty.bin')).toBe('0');
  git('checkout', '-q', 'HEAD~1');
  expect(readFileSync(join(tree, 'a.bin'), 'utf8')).toBe('content of a');
  git('checkout', '-q', '-');
  expect(readFileSync(join(tree, 'a.bin'), 'utf8')).toBe('new content\n');
  expect(readFileSync(join(tree, 'new.bin')).equals(Buffer.alloc(3000, 200))).toBe(true);
  expect(git('status', '--porcelain')).toBe('');
  expect(existsSync(join(tree, 'new.bin.coppice-lfs'))).toBe(false);
});

test('what is offered is what git inside writes; taken back, it is gone, and no link of the agent’s is followed', async () => {
  const { repository, object } = scene();
  const setup = setUp({ existing: repository });
  const at = await makeEnvironment(setup);
  const git = insideWithoutLfs(setup, at);
  const next = parseOid(repository.commit('next', { 'next.bin': 'content of next', 'b.md': 'b\nmore\n' }));
  repository.commit('gone', { 'gone.bin': 'content that is gone' });
  rmSync(object('content that is gone'));
  await setup.worktrees.shareBase(parseOid(repository.git('rev-parse', 'HEAD')));
  const blobs = ['next.bin', 'gone.bin', 'b.md'].map((path) => parseOid(repository.git('rev-parse', `HEAD:${path}`)));
  const outside = join(repository.directory, 'outside');
  mkdirSync(outside);
  symlinkSync(outside, join(at.directories.git, 'lfs'));
  const offer = await setup.worktrees.offerContent(at.directories, blobs);
  expect(offer.absent).toEqual([blobs[1]]);
  expect(readdirSync(outside)).toEqual([]);
  git('merge', '-q', '--ff-only', next);
  expect(readFileSync(join(at.directories.tree, 'next.bin'), 'utf8')).toBe('content of next');
  const hash = sha256('content of next');
  const lent = join(at.directories.git, 'lfs/objects', hash.slice(0, 2), hash.slice(2, 4), hash);
  expect(existsSync(lent)).toBe(true);
  await offer.withdraw();
  expect(existsSync(lent)).toBe(false);
  expect(git('status', '--porcelain')).toBe('');
  expect(readdirSync(at.directories.root).filter((name) => name.startsWith('lfs-'))).toEqual([]);
});
