/** Conflicts get environments of their own, come back resolved, and are resolved the same way the next time. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprintOfCheckout } from '../support/fingerprint.ts';
import { libraryScene } from '../support/library-scene.ts';
import type { TestRepository } from '../support/repository.ts';

const text = (line: string) => `one\n${line}\nthree\nfour\nfive\nsix\nseven\n`;
const refsOf = (repository: TestRepository) =>
  repository.git('for-each-ref', '--format=%(refname) %(objectname)').split('\n');
/** It grows with every exec. */
const isRecord = (ref: string) => ref.includes('/record ');

/** An environment with a commit and uncommitted work, and main with another idea of the same line. */
async function conflicting() {
  const scene = await libraryScene({ 'a.txt': text('two'), 'gone.txt': 'old\n', 'other.txt': 'other\n' });
  await scene.create('login');
  await scene.exec(
    'login',
    "sed -i s/two/LOGIN/ a.txt; git commit -qam 'Say login'; echo new > gone.txt; echo n > n.txt",
  );
  scene.repository.git('rm', '-q', 'gone.txt');
  scene.repository.commit('Say main', { 'a.txt': text('MAIN'), 'mine.txt': 'mine\n' });
  return scene;
}

describe('a conflict', () => {
  it('gets an environment in the middle of the merge, which says what both sides meant; giving up restores all; and it survives all losses', async () => {
    const { repository, coppice, exec } = await conflicting();
    await coppice.checkpoint({ name: 'login' });
    const before = { refs: refsOf(repository), checkout: fingerprintOfCheckout(repository.path) };
    const inside = 'git status --porcelain; git stash list; git log --format=%H';
    const environment = await exec('login', inside);

    const begun = await coppice.resolve({ name: 'login' });
    expect(begun.action).toBe('begun');
    expect(begun.resolution).toMatchObject({
      name: 'login-resolve',
      ours: { commits: [{ subject: 'Work of login' }, { subject: 'Say login' }] },
      theirs: { commits: [{ subject: 'Say main' }] },
      files: [
        { path: 'a.txt', kind: 'content', state: 'open' },
        { path: 'gone.txt', kind: 'modify/delete', state: 'open' },
      ],
    });
    const state = await exec('login-resolve', 'git status --porcelain; cat a.txt ~/CONFLICT.md');
    expect(state).toMatch(/^UU a\.txt\nUD gone\.txt\nA {2}mine\.txt\n/m);
    expect(state).toMatch(/<<<<<<< login\nLOGIN\n\|{7} .*\ntwo\n=======\nMAIN\n>>>>>>> main\n/);
    expect(state).toMatch(/Say login[\s\S]*Say main[\s\S]*a\.txt \(content\)/);
    expect(await coppice.resolve({ name: 'login' })).toMatchObject({ action: 'existing' });
    expect((await coppice.list()).environments).toMatchObject([
      { name: 'login', resolves: null },
      { name: 'login-resolve', resolves: { environment: 'login', with: 'main' }, title: 'Resolve login and main' },
    ]);

    await exec('login-resolve', 'echo half > a.txt');
    expect(await coppice.resolve({ name: 'login', abort: true })).toMatchObject({ action: 'aborted' });
    expect(await exec('login', inside)).toBe(environment);
    expect(fingerprintOfCheckout(repository.path)).toEqual(before.checkout);
    const after = refsOf(repository);
    const trash = after.filter((ref) => ref.includes('/trash/'));
    expect(trash).toHaveLength(1);
    expect(after.filter((ref) => !trash.includes(ref) && !isRecord(ref))).toEqual(
      before.refs.filter((ref) => !isRecord(ref)),
    );

    // What was resolved so far comes back, and with it the merge that is under way; also where only references are left.
    await coppice.restore({ name: 'login-resolve' });
    const look = 'git status --porcelain; git ls-files -s; cat a.txt';
    const restored = await exec('login-resolve', look);
    expect(restored).toMatch(/^UU a\.txt\nUD gone\.txt\nA {2}mine\.txt\n[\s\S]*half\n$/);
    await coppice.stop({ name: 'login-resolve' });
    rmSync(join(repository.path, '.git/coppice'), { recursive: true, force: true });
    rmSync(join(begun.resolution?.worktree ?? '', '..'), { recursive: true });
    await coppice.start({ name: 'login-resolve' });
    expect(await exec('login-resolve', look)).toBe(restored);
  });

  it('is resolved by edits alone, comes back with all the environment had, and merges then', async () => {
    const { repository, coppice, exec, failure } = await conflicting();
    const { resolution } = await coppice.resolve({ name: 'login' });
    const worktree = resolution?.worktree ?? '';
    const goOn = () => coppice.resolve({ name: 'login', continue: true, message: 'Say both' });
    expect(await failure(goOn())).toMatchObject({ kind: 'refused', code: 'conflict-markers' });
    writeFileSync(join(worktree, 'a.txt'), text('BOTH'));
    expect(await failure(goOn())).toMatchObject({
      code: 'unresolved',
      data: { files: [{ path: 'gone.txt', kind: 'modify/delete' }] },
    });
    rmSync(join(worktree, 'gone.txt'));
    const main = repository.git('rev-parse', 'main');
    const done = await goOn();
    expect(done).toMatchObject({ action: 'resolved', how: 'fast-forward' });
    const commit = done.commit ?? '';
    expect(repository.git('rev-parse', 'coppice/login', 'refs/coppice/login/head')).toBe(`${commit}\n${commit}`);
    expect(repository.git('log', '--format=%s', '--first-parent', 'main..coppice/login')).toBe(
      'Say both\nWork of login\nSay login',
    );
    expect(repository.git('rev-parse', 'coppice/login^2', 'main')).toBe(`${main}\n${main}`);
    expect(await exec('login', 'git status --porcelain; git rev-parse HEAD; cat a.txt n.txt mine.txt; ls')).toBe(
      `${commit}\n${text('BOTH')}n\nmine\na.txt\nmine.txt\nn.txt\nother.txt\n`,
    );
    expect((await coppice.list()).environments).toHaveLength(1);
    await coppice.merge({ name: 'login' });
    expect(readFileSync(join(repository.path, 'a.txt'), 'utf8')).toBe(text('BOTH'));
    expect(await failure(goOn())).toMatchObject({ code: 'no-resolution' });
  });

  it('comes back by a further merge where the environment moved on; where that conflicts, it goes on in the same place', async () => {
    const { repository, coppice, exec } = await conflicting();
    await coppice.resolve({ name: 'login' });
    await exec('login-resolve', `printf '%s' '${text('BOTH')}' > a.txt; rm gone.txt`);
    await exec('login', "git add -A; git commit -qm 'The rest'; sed -i s/LOGIN/AGAIN/ a.txt; echo more > more.txt");
    expect(await coppice.resolve({ name: 'login', continue: true })).toMatchObject({
      action: 'conflicts-again',
      resolution: { name: 'login-resolve', files: [{ path: 'a.txt', state: 'open' }] },
    });
    const waiting = await exec('login-resolve', 'git status --porcelain; cat ~/CONFLICT.md');
    expect(waiting).toMatch(/^UU a\.txt\n/);
    expect(waiting).toContain('The rest');
    expect(await exec('login', 'git status --porcelain; git log -1 --format=%s')).toBe(
      ' M a.txt\n?? more.txt\nThe rest\n',
    );
    await exec('login-resolve', `printf '%s' '${text('ALL')}' > a.txt; git commit -qam 'All of it'`);
    await exec('login', 'echo even more > even.txt');
    const done = await coppice.resolve({ name: 'login-resolve', continue: true, merge: true });
    expect(done).toMatchObject({ action: 'resolved', how: 'merge', merged: { into: 'main' } });
    expect(await exec('login', 'git status --porcelain; cat a.txt more.txt even.txt; ls')).toBe(
      `${text('ALL')}more\neven more\na.txt\neven.txt\nmine.txt\nmore.txt\nn.txt\nother.txt\n`,
    );
    expect(repository.git('log', '--format=%s', 'main')).toContain('All of it');
    expect(readFileSync(join(repository.path, 'a.txt'), 'utf8')).toBe(text('ALL'));
    expect(repository.git('status', '--porcelain')).toBe('');
  });

  it('between two environments is nobody else’s to see', async () => {
    const { repository, coppice, exec, create } = await conflicting();
    const { worktree } = await create('rival');
    await exec(
      'rival',
      'sed -i s/MAIN/RIVAL/ a.txt; git commit -qam "Say rival"; echo r > r.txt; echo all: > Makefile',
    );
    const begun = await coppice.resolve({ name: 'login', with: 'rival' });
    expect(begun.runs).toMatchObject([{ path: 'Makefile', by: 'the build' }]);
    expect(begun.resolution).toMatchObject({ theirs: { commits: [{}, { subject: 'Say rival' }, {}] } });
    const rival = repository.git('rev-parse', 'refs/coppice/rival/head');
    const ask = `git cat-file -e ${rival} 2>/dev/null && echo seen`;
    expect(await exec('login-resolve', ask)).toBe('seen\n');
    // All that other environments borrow from has nothing of it.
    const store = join(worktree, '../../.base.git');
    const seen = (commit: string) =>
      repository.git('--git-dir', store, 'cat-file', '--batch-check', '--batch-all-objects').includes(commit);
    expect([rival, repository.git('rev-parse', 'main~1')].map(seen)).toEqual([false, true]);
    await exec('login-resolve', 'git checkout -q --theirs a.txt; git add a.txt; git rm -q gone.txt; git commit -qm T');
    expect(await coppice.resolve({ name: 'login', continue: true })).toMatchObject({ action: 'resolved' });
    expect(await exec('login', 'cat a.txt r.txt n.txt')).toBe(`${text('RIVAL')}r\nn\n`);
    const { environments } = await coppice.list();
    expect(environments.map(({ name }) => name)).toEqual(['login', 'rival']);
  });

  it('that there is not makes no environment; nor does what cannot be', async () => {
    const { repository, coppice, create, failure } = await conflicting();
    await create('calm');
    expect(await coppice.resolve({ name: 'calm' })).toMatchObject({ action: 'no-conflict', with: 'main' });
    expect(await failure(coppice.resolve({ name: 'calm', into: 'nowhere' }))).toMatchObject({
      code: 'branch-not-found',
    });
    expect(await failure(coppice.resolve({ name: 'calm', with: 'calm' }))).toMatchObject({ kind: 'usage' });
    expect(await failure(coppice.resolve({ name: 'calm', abort: true, continue: true }))).toMatchObject({
      kind: 'usage',
    });
    expect(repository.git('for-each-ref', 'refs/coppice/calm-resolve')).toBe('');
    // What the user's own branch brings is not said of the environment.
    repository.commit('Build', { Makefile: 'all:\n' });
    expect((await coppice.resolve({ name: 'login' })).runs).toEqual([]);
    expect((await coppice.show({ name: 'login-resolve' })).runs).toEqual([]);
    // One that has only the name of the environment that a conflict was begun for is another.
    await coppice.remove({ name: 'login', force: true });
    expect(await failure(coppice.resolve({ name: 'login-resolve', abort: false, continue: true }))).toMatchObject({
      code: 'environment-gone',
    });
    await create('login');
    expect(await failure(coppice.resolve({ name: 'login', abort: true }))).toMatchObject({ code: 'no-resolution' });
    expect(await coppice.resolve({ name: 'login' })).toMatchObject({ action: 'no-conflict' });
  });
});
