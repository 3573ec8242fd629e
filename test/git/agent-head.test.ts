import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { operationInProgress, readHeadHint } from '../../src/git/agent-head.ts';
import { makeRepository, temporaryDirectory } from '../support/repository.ts';

describe('the hint that HEAD or a branch moved', () => {
  it('changes with every way of moving them, and with nothing else', async () => {
    const { git, path, commit } = makeRepository();
    const hint = () => readHeadHint(join(path, '.git'));
    let last = await hint();
    const moves: readonly (readonly string[])[] = [
      ['commit', '-q', '--allow-empty', '-m', 'x'],
      ['branch', 'topic/deep/er'],
      ['checkout', '-q', 'topic/deep/er'],
      ['commit', '-q', '--amend', '--allow-empty', '-m', 'y'],
      ['checkout', '-q', '--detach'],
      ['branch', '-f', 'main', 'topic/deep/er'],
      ['pack-refs', '--all'],
      ['branch', '-D', 'topic/deep/er'],
    ];
    for (const move of moves) {
      git(...move);
      const next = await hint();
      expect(next, move.join(' ')).toBeDefined();
      expect(next, move.join(' ')).not.toBe(last);
      last = next;
    }
    for (const content of ['changed\n', 'again\n']) {
      writeFileSync(join(path, 'README.md'), content);
      git('add', '-A');
      git('stash');
    }
    const stashed = await hint();
    expect(stashed).not.toBe(last);
    git('stash', 'drop', 'stash@{1}');
    last = await hint();
    expect(last).not.toBe(stashed);
    writeFileSync(join(path, 'README.md'), 'changed\n');
    git('add', '-A');
    git('tag', 'v1');
    git('status');
    expect(await hint()).toBe(last);
    commit('after all');
    expect(await hint()).not.toBe(last);
  });

  it('is cheap and still right among thousands of branches, wherever HEAD is', async () => {
    const { git, path } = makeRepository();
    const hint = () => readHeadHint(join(path, '.git'));
    const oid = git('rev-parse', 'HEAD');
    const heads = join(path, '.git/refs/heads');
    for (let index = 0; index < 1_000; index += 1) writeFileSync(join(heads, `b${index}`), `${oid}\n`);
    git('checkout', '-q', '-b', 'z/last');
    let last = await hint();
    for (const move of [
      ['commit', '-q', '--allow-empty', '-m', 'x'],
      ['branch', '-f', 'b999', 'z/last'],
      ['branch', 'new'],
    ]) {
      git(...move);
      expect(await hint(), move.join(' ')).not.toBe(last);
      last = await hint();
    }
    git('status');
    expect(await hint()).toBe(last);
    symlinkSync(path, join(heads, 'link'));
    writeFileSync(join(path, '.git/HEAD'), 'ref: refs/heads/link/README.md\n');
    last = await hint();
    writeFileSync(join(path, 'README.md'), 'changed\n');
    writeFileSync(join(path, '.git/HEAD'), 'ref: refs/heads/link/README.md\n');
    expect(await hint()).toBe(last);
  });

  it('never follows a link, waits for nobody, and is bounded', async () => {
    const { git, path, directory } = makeRepository();
    const gitDirectory = join(path, '.git');
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    const hint = () => readHeadHint(gitDirectory);
    renameSync(join(gitDirectory, 'refs/heads'), join(directory, 'heads'));
    symlinkSync(outside, join(gitDirectory, 'refs/heads'));
    const linked = await hint();
    writeFileSync(join(outside, 'main'), 'secret');
    expect(await hint()).toBe(linked);
    rmSync(join(gitDirectory, 'refs/heads'));
    renameSync(join(directory, 'heads'), join(gitDirectory, 'refs/heads'));

    execFileSync('mkfifo', [join(gitDirectory, 'refs/heads/pipe')]);
    writeFileSync(join(gitDirectory, 'refs/heads/huge'), Buffer.alloc(10_000_000));
    for (let index = 0; index < 2_100; index += 1) writeFileSync(join(gitDirectory, `refs/heads/b${index}`), '');
    expect(await hint()).toMatch(/^[0-9a-f]{64}$/);

    rmSync(join(gitDirectory, 'HEAD'));
    symlinkSync(join(outside, 'main'), join(gitDirectory, 'HEAD'));
    expect(await hint()).toBeUndefined();
    expect(await readHeadHint(join(temporaryDirectory(), 'nothing'))).toBeUndefined();
    expect(git('--version')).toContain('git');
  });
});

describe('an operation in progress', () => {
  it('is known by name', async () => {
    const { git, path, commit } = makeRepository({ files: { a: '1\n' } });
    const now = () => operationInProgress(join(path, '.git'));
    const conflict = (...args: readonly string[]) => expect(() => git(...args)).toThrow();
    expect(await now()).toBeUndefined();
    git('checkout', '-q', '-b', 'other');
    commit('theirs', { a: '2\n' });
    git('checkout', '-q', 'main');
    commit('ours', { a: '3\n' });
    commit('ours again', { a: '4\n' });
    conflict('merge', 'other');
    expect(await now()).toBe('merge');
    git('merge', '--abort');
    conflict('rebase', 'other');
    expect(await now()).toBe('rebase');
    git('rebase', '--abort');
    conflict('rebase', '--apply', 'other');
    expect(await now()).toBe('rebase');
    git('rebase', '--abort');
    conflict('cherry-pick', 'other');
    expect(await now()).toBe('cherry-pick');
    git('cherry-pick', '--abort');
    conflict('revert', 'HEAD~1');
    expect(await now()).toBe('revert');
    git('revert', '--abort');
    git('bisect', 'start');
    expect(await now()).toBe('bisect');
    git('bisect', 'reset');
    expect(await now()).toBeUndefined();
  });
});
