/** Conflicts get environments of their own, come back resolved, and are resolved the same way the next time. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprintOfCheckout } from '../support/fingerprint.ts';
import type { TestRepository } from '../support/repository.ts';
import { sceneOn } from './main-path.ts';

const ground = {
  name: 'the sandbox',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

interface Answer {
  readonly action: string;
  readonly how: string | null;
  readonly commit: string | null;
  readonly resolution: {
    readonly name: string;
    readonly worktree: string;
    readonly ours: { readonly commits: readonly { readonly subject: string }[] };
    readonly theirs: { readonly commits: readonly { readonly subject: string }[] };
    readonly files: readonly { readonly path: string; readonly kind: string; readonly state: string }[];
  } | null;
  readonly merged: { readonly after: string } | null;
  readonly memory: readonly { readonly id: string; readonly paths: readonly string[] }[];
}

const text = (line: string) => `one\n${line}\nthree\nfour\nfive\nsix\nseven\n`;
const refsOf = (repository: TestRepository) =>
  repository.git('for-each-ref', '--format=%(refname) %(objectname)').split('\n');

/** An environment with a commit and uncommitted work, and main with another idea of the same line. */
async function conflicting(name = 'login') {
  const scene = sceneOn(ground, { 'a.txt': text('two'), 'gone.txt': 'old\n', 'other.txt': 'other\n' });
  await scene.create(name, '--title', 'Log in');
  await scene.exec(name, "sed -i s/two/LOGIN/ a.txt; git commit -qam 'Say login'; echo new > gone.txt; echo n > n.txt");
  scene.repository.git('rm', '-q', 'gone.txt');
  scene.repository.commit('Say main', { 'a.txt': text('MAIN'), 'mine.txt': 'mine\n' });
  const resolve = (...args: readonly string[]) => scene.cli.json<Answer>(['resolve', ...args], { allow: [0, 4] });
  const refused = async (...args: readonly string[]) => {
    const failed = await scene.cli.json<{ error?: { code: string; data: { files?: unknown } } }>(args, {
      allow: [2, 3, 4, 5, 6],
    });
    return failed.error;
  };
  return { ...scene, resolve, refused };
}

describe('a conflict', () => {
  it('gets an environment in the middle of the merge, which says what both sides meant; giving up restores all', async () => {
    const { repository, cli, exec, resolve } = await conflicting();
    await cli.json(['checkpoint', 'login']);
    const before = { refs: refsOf(repository), checkout: fingerprintOfCheckout(repository.path) };
    const inside = 'git status --porcelain; git stash list; git log --format=%H';
    const environment = (await exec('login', inside)).stdout;
    const stable = (refs: readonly string[]) => refs.filter((ref) => !ref.includes('/login/record '));

    const begun = await resolve('login');
    expect(begun.action).toBe('begun');
    expect(begun.resolution).toMatchObject({
      name: 'login-resolve',
      ours: { commits: [{ subject: 'Log in' }, { subject: 'Say login' }] },
      theirs: { commits: [{ subject: 'Say main' }] },
      files: [
        { path: 'a.txt', kind: 'content', state: 'open' },
        { path: 'gone.txt', kind: 'modify/delete', state: 'open' },
      ],
    });
    const state = await exec(
      'login-resolve',
      'git status --porcelain; cat .git/MERGE_HEAD 2>/dev/null; cat a.txt ~/CONFLICT.md',
    );
    expect(state.stdout).toMatch(/^UU a\.txt\nUD gone\.txt\nA {2}mine\.txt\n/m);
    expect(state.stdout).toMatch(/<<<<<<< login\nLOGIN\n\|{7} .*\ntwo\n=======\nMAIN\n>>>>>>> main\n/);
    expect(state.stdout).toMatch(/Say login[\s\S]*Say main[\s\S]*a\.txt \(content\)/);
    expect(await resolve('login')).toMatchObject({ action: 'existing' });
    const listed = await cli.json<{ environments: unknown[] }>(['list']);
    expect(listed.environments).toMatchObject([
      { name: 'login', resolves: null },
      { name: 'login-resolve', resolves: { environment: 'login', with: 'main' }, title: 'Resolve login and main' },
    ]);

    await exec('login-resolve', 'echo half > a.txt');
    expect(await resolve('login', '--abort')).toMatchObject({ action: 'aborted' });
    expect((await exec('login', inside)).stdout).toBe(environment);
    expect(fingerprintOfCheckout(repository.path)).toEqual(before.checkout);
    const after = refsOf(repository);
    const trash = after.filter((ref) => ref.includes('/trash/'));
    expect(trash).toHaveLength(1);
    expect(stable(after.filter((ref) => !trash.includes(ref)))).toEqual(stable(before.refs));

    // What was resolved so far comes back, and with it the merge that is under way.
    await cli.json(['restore', 'login-resolve']);
    const restored = await exec('login-resolve', 'git status --porcelain; cat a.txt');
    expect(restored.stdout).toBe('UU a.txt\nUD gone.txt\nA  mine.txt\nhalf\n');
  });

  it('is resolved by edits alone, comes back with all the environment had, and merges then', async () => {
    const { repository, cli, exec, resolve, refused } = await conflicting();
    const { resolution } = await resolve('login');
    const worktree = resolution?.worktree ?? '';
    expect(await refused('resolve', 'login', '--continue')).toMatchObject({ code: 'conflict-markers' });
    writeFileSync(join(worktree, 'a.txt'), text('BOTH'));
    expect(await refused('resolve', 'login', '--continue')).toMatchObject({
      code: 'unresolved',
      data: { files: [{ path: 'gone.txt', kind: 'modify/delete' }] },
    });
    rmSync(join(worktree, 'gone.txt'));
    const main = repository.git('rev-parse', 'main');
    const done = await resolve('login', '--continue', '-m', 'Say both');
    expect(done).toMatchObject({ action: 'resolved', how: 'fast-forward' });
    const commit = done.commit ?? '';
    expect(repository.git('rev-parse', 'coppice/login', 'refs/coppice/login/head')).toBe(`${commit}\n${commit}`);
    expect(repository.git('log', '--format=%s', '--first-parent', 'main..coppice/login')).toBe(
      'Say both\nLog in\nSay login',
    );
    expect(repository.git('rev-parse', 'coppice/login^2')).toBe(main);
    const inside = await exec('login', 'git status --porcelain; git rev-parse HEAD; cat a.txt n.txt mine.txt; ls');
    expect(inside.stdout).toBe(`${commit}\n${text('BOTH')}n\nmine\na.txt\nmine.txt\nn.txt\nother.txt\n`);
    expect((await cli.json<{ environments: unknown[] }>(['list'])).environments).toHaveLength(1);
    expect(repository.git('rev-parse', 'main')).toBe(main);
    await cli.json(['merge', 'login']);
    expect(readFileSync(join(repository.path, 'a.txt'), 'utf8')).toBe(text('BOTH'));
    expect(await refused('resolve', 'login', '--continue')).toMatchObject({ code: 'no-resolution' });
  });

  it('is resolved with plain git by somebody inside, and goes straight into the branch', async () => {
    const { repository, exec, resolve } = await conflicting();
    await resolve('login');
    const script =
      "git checkout -q --ours a.txt; git add a.txt; git rm -q gone.txt; git commit -qm 'Ours'; git rev-parse HEAD";
    const commit = (await exec('login-resolve', script)).stdout.trim();
    const done = await resolve('login-resolve', '--continue', '--merge');
    expect(done).toMatchObject({ action: 'resolved', commit, merged: { into: 'main' } });
    expect(repository.git('show', 'main:a.txt')).toBe(text('LOGIN').trimEnd());
    repository.git('merge-base', '--is-ancestor', commit, 'main');
    expect(repository.git('status', '--porcelain')).toBe('');
  });

  it('comes back by a further merge where the environment has moved on; where that conflicts, it goes on in the same place', async () => {
    const { repository, exec, resolve } = await conflicting();
    await resolve('login');
    await exec('login-resolve', `printf '%s' '${text('BOTH')}' > a.txt; rm gone.txt`);
    await exec('login', "git add -A; git commit -qm 'The rest'; sed -i s/LOGIN/AGAIN/ a.txt; echo more > more.txt");
    const again = await resolve('login', '--continue');
    expect(again).toMatchObject({
      action: 'conflicts-again',
      resolution: { name: 'login-resolve', files: [{ path: 'a.txt', state: 'open' }] },
    });
    const waiting = await exec('login-resolve', 'git status --porcelain; cat ~/CONFLICT.md');
    expect(waiting.stdout).toMatch(/^UU a\.txt\n/);
    expect(waiting.stdout).toContain('The rest');
    expect((await exec('login', 'git status --porcelain; git log -1 --format=%s')).stdout).toBe(
      ' M a.txt\n?? more.txt\nThe rest\n',
    );
    await exec('login-resolve', `printf '%s' '${text('ALL')}' > a.txt; git commit -qam 'All of it'`);
    await exec('login', 'echo even more > even.txt');
    expect(await resolve('login', '--continue')).toMatchObject({ action: 'resolved', how: 'merge' });
    const inside = await exec('login', 'git status --porcelain; cat a.txt more.txt even.txt; ls');
    expect(inside.stdout).toBe(
      `${text('ALL')}more\neven more\na.txt\neven.txt\nmine.txt\nmore.txt\nn.txt\nother.txt\n`,
    );
    expect(repository.git('log', '--format=%s', 'coppice/login')).toContain('All of it');
  });

  it('survives that its container, caches and directory are lost', async () => {
    const { repository, cli, exec, resolve } = await conflicting();
    const { resolution } = await resolve('login');
    await exec('login-resolve', 'sed -i /LOGIN/d a.txt');
    const before = (await exec('login-resolve', 'git status --porcelain; git ls-files -s; cat a.txt')).stdout;
    await cli.json(['stop', 'login-resolve']);
    rmSync(join(repository.path, '.git/coppice'), { recursive: true, force: true });
    rmSync(join(resolution?.worktree ?? '', '..'), { recursive: true });
    expect(existsSync(resolution?.worktree ?? '')).toBe(false);
    await cli.json(['start', 'login-resolve']);
    expect((await exec('login-resolve', 'git status --porcelain; git ls-files -s; cat a.txt')).stdout).toBe(before);
  });

  it('between two environments is nobody else’s to see', async () => {
    const { repository, cli, exec, resolve, create } = await conflicting();
    await create('rival');
    await create('third');
    await exec('rival', "sed -i s/MAIN/RIVAL/ a.txt; git commit -qam 'Say rival'; echo r > r.txt");
    const begun = await resolve('login', '--with', 'rival');
    expect(begun.resolution).toMatchObject({ theirs: { commits: [{}, { subject: 'Say rival' }, {}] } });
    const rival = repository.git('rev-parse', 'refs/coppice/rival/head');
    expect((await exec('login-resolve', `git cat-file -t ${rival}`)).stdout).toBe('commit\n');
    expect((await exec('third', `git cat-file -t ${rival}`)).status).not.toBe(0);
    await exec(
      'login-resolve',
      "git checkout -q --theirs a.txt; git add a.txt; git rm -q gone.txt; git commit -qm 'Theirs'",
    );
    expect(await resolve('login', '--continue')).toMatchObject({ action: 'resolved' });
    expect((await exec('login', 'cat a.txt r.txt n.txt')).stdout).toBe(`${text('RIVAL')}r\nn\n`);
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    expect(environments.map(({ name }) => name)).toEqual(['login', 'rival', 'third']);
  });
});
