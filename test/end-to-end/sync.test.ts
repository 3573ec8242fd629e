/** A branch comes into running environments without anything of theirs being lost, and a conflict is git's own. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { sceneOn } from './main-path.ts';

const ground = {
  name: 'the sandbox',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

const text = (line: string) => `one\n${line}\nthree\nfour\nfive\nsix\nseven\n`;

interface Synced {
  readonly environments: readonly {
    readonly name: string;
    readonly kind: string;
    readonly before: string | null;
    readonly files: readonly unknown[];
    readonly remembered: readonly string[];
    readonly error: { readonly code: string } | null;
  }[];
  readonly error?: { readonly code: string; readonly data: Readonly<Record<string, unknown>> };
}

/** Environments that all changed one line in the same way, and have uncommitted work; main changed it otherwise. */
async function diverged(names: readonly string[] = ['one']) {
  const scene = sceneOn(ground, {
    'a.txt': text('two'),
    'b.txt': 'b\n',
    'gone.txt': 'old\n',
    '.gitignore': '*.local\n',
  });
  const worktrees = new Map<string, string>();
  for (const name of names) {
    worktrees.set(name, (await scene.create(name)).worktree);
    await scene.exec(
      name,
      "sed -i s/two/AGENT/ a.txt; git commit -qam 'Say agent'; echo mine >> b.txt; echo new > new.txt",
    );
  }
  scene.repository.commit('Say main', { 'a.txt': text('MAIN') });
  const sync = (...args: readonly string[]) =>
    scene.cli.json<Synced>(['sync', ...args], { allow: [0, 1, 2, 3, 4, 5, 6] });
  return { ...scene, sync, worktreeOf: (name: string) => worktrees.get(name) ?? '' };
}

const stateOf = 'git status --porcelain=v1; git ls-files -s; git rev-parse HEAD; git stash list; cat a.txt b.txt';

describe('sync', () => {
  it('leaves a conflict inside in git’s own form; giving up restores, going on commits the merge and nothing else', async () => {
    const { repository, exec, sync } = await diverged();
    const before = (await exec('one', stateOf)).stdout;
    expect((await sync('one')).error).toMatchObject({
      code: 'sync-conflict',
      data: { files: [{ path: 'a.txt', kind: 'content' }], remembered: [] },
    });
    const inside = await exec('one', 'git status --porcelain; git ls-files -u | cut -f1 -d" "; cat a.txt');
    expect(inside.stdout).toBe(
      `UU a.txt\n M b.txt\n?? new.txt\n100644\n100644\n100644\n${text(
        '<<<<<<< HEAD\nAGENT\n||||||| MARK\ntwo\n=======\nMAIN\n>>>>>>> refs/remotes/coppice/main',
      )}`.replace('MARK', repository.git('rev-parse', '--short', 'main~1')),
    );
    expect((await sync('one')).error).toMatchObject({ code: 'operation-in-progress' });
    await exec('one', 'echo half > a.txt');
    const aborted = (await sync('one', '--abort')).environments[0];
    expect(aborted).toMatchObject({ kind: 'aborted', from: 'main' });
    expect((await exec('one', stateOf)).stdout).toBe(before);
    expect(repository.git('show', `${aborted?.before}:a.txt`)).toBe('half');
    expect((await sync('one', '--abort')).error).toMatchObject({ code: 'no-sync' });

    await sync('one');
    expect((await sync('one', '--continue')).error).toMatchObject({ code: 'conflict-markers' });
    await exec('one', `printf '%s' '${text('BOTH')}' > a.txt`);
    expect((await sync('one', '--continue')).environments).toMatchObject([{ kind: 'continued', from: 'main' }]);
    expect((await exec('one', 'git status --porcelain; git log -1 --format=%s')).stdout).toBe(
      " M b.txt\n?? new.txt\nMerge branch 'main' into one\n",
    );
    expect(repository.git('rev-parse', 'refs/coppice/one/head^2')).toBe(repository.git('rev-parse', 'main'));
    expect(repository.git('diff', '--name-only', 'main', 'refs/coppice/one/head')).toBe('a.txt');
    expect((await sync('one')).environments).toMatchObject([{ kind: 'nothing-to-do' }]);
  });

  it('begins nothing where uncommitted, held or ignored files would be overwritten, and names them', async () => {
    const { repository, exec, sync, worktreeOf } = await diverged();
    repository.git('revert', '--no-edit', 'HEAD');
    repository.write({ 'c.local': 'theirs\n', 'b.txt': 'b\ntheirs\n', 'new.txt': 'theirs\n' });
    repository.git('add', '-f', 'c.local', 'b.txt', 'new.txt');
    repository.commit('More of main');
    writeFileSync(join(worktreeOf('one'), 'c.local'), 'precious\n');
    const before = (await exec('one', stateOf)).stdout;
    expect((await sync('one')).error).toMatchObject({ code: 'overlap', data: { paths: ['b.txt', 'new.txt'] } });
    expect((await exec('one', stateOf)).stdout).toBe(before);
    expect((await sync('one', '-m', 'Mine')).error).toMatchObject({ code: 'in-the-way', data: { paths: ['c.local'] } });
    expect((await exec('one', 'git log -1 --format=%s; git status --porcelain')).stdout).toBe('Mine\n');
    expect(readFileSync(join(worktreeOf('one'), 'c.local'), 'utf8')).toBe('precious\n');
    await exec('one', 'mv c.local d.local');
    expect((await sync('one')).error).toMatchObject({ code: 'sync-conflict' });
    expect((await exec('one', 'cat c.local d.local')).stdout).toBe('theirs\nprecious\n');
  });

  it('waits for a quiet moment: never while a command writes, unless asked', async () => {
    const { cli, exec, sync, worktreeOf, repository } = await diverged();
    repository.git('revert', '--no-edit', 'HEAD');
    repository.commit('Elsewhere', { 'else.txt': 'e\n' });
    const tree = worktreeOf('one');
    const running = async (script: string) => {
      const child = cli.start(['exec', 'one', '--', 'sh', '-c', `echo > up; ${script}`]);
      await eventually(
        () => existsSync(join(tree, 'up')),
        () => 'the command never ran',
        60_000,
      );
      return new Promise<void>((done) => child.on('close', () => done()));
    };
    const writing = running('until test -e stop; do date +%N > busy.txt; sleep 0.1; done; rm up');
    await eventually(
      () => existsSync(join(tree, 'busy.txt')),
      () => 'nothing was written',
      60_000,
    );
    const head = 'git rev-parse HEAD';
    const before = (await exec('one', head)).stdout;
    expect((await sync('one', '--wait', '0')).error).toMatchObject({ code: 'environment-busy' });
    expect((await sync('one', '--wait', '3')).error).toMatchObject({ code: 'environment-busy' });
    expect((await exec('one', head)).stdout).toBe(before);
    expect((await sync('one', '--force')).environments).toMatchObject([{ kind: 'merged' }]);
    writeFileSync(join(tree, 'stop'), '');
    await writing;
    await exec('one', 'rm -f stop busy.txt');
    repository.commit('Elsewhere again', { 'else.txt': 'again\n' });
    const waiting = running('until test -e stop; do sleep 0.1; done; rm up');
    expect((await sync('one', '--wait', '60')).environments).toMatchObject([{ kind: 'merged' }]);
    writeFileSync(join(tree, 'stop'), '');
    await waiting;
  });

  it('leaves a merge that the agent makes itself alone', async () => {
    const { exec, sync } = await diverged();
    await exec(
      'one',
      'git stash -qu; git switch -qc side HEAD~1; sed -i s/two/SIDE/ a.txt; git commit -qam s; git switch -q -; git merge side',
    );
    expect((await sync('one')).error).toMatchObject({ code: 'operation-in-progress' });
    expect((await sync('one', '--abort')).error).toMatchObject({ code: 'no-sync' });
    expect((await exec('one', 'git status --porcelain')).stdout).toBe('UU a.txt\n');
  });
});

describe('a resolution', () => {
  it('is remembered, shared with other environments, found again in other surroundings, and can be forgotten', async () => {
    const { repository, cli, exec, sync, create } = await diverged(['one', 'two', 'three']);
    await sync('one');
    await exec('one', `printf '%s' '${text('BOTH')}' > a.txt; git commit -qam 'Both'`);
    const known = await cli.json<{ memory: { id: string; paths: string[] }[] }>(['resolve', '--remembered']);
    expect(known.memory).toMatchObject([{ paths: ['a.txt'], environment: 'one' }]);
    // Laid out as git's own cache, under git's own name.
    const id = known.memory[0]?.id ?? '';
    expect(repository.git('ls-tree', '-r', '--name-only', 'refs/coppice/resolutions')).toBe(
      `${id}/about.json\n${id}/postimage\n${id}/preimage`,
    );
    expect(repository.git('show', `refs/coppice/resolutions:${id}/postimage`)).toBe(text('BOTH').trimEnd());

    await exec('three', "sed -i s/seven/SEVEN/ a.txt; git commit -qm 'Say seven' a.txt");
    const all = await sync('--all');
    expect(all.environments).toMatchObject([
      { name: 'one', kind: 'nothing-to-do' },
      { name: 'three', kind: 'conflict', remembered: ['a.txt'] },
      { name: 'two', kind: 'conflict', remembered: ['a.txt'] },
    ]);
    // In the files, for somebody to look at; not in the index, and not in a commit.
    expect((await exec('two', 'git status --porcelain a.txt; cat a.txt')).stdout).toBe(`UU a.txt\n${text('BOTH')}`);
    expect((await exec('three', 'cat a.txt')).stdout).toBe(text('BOTH').replace('seven', 'SEVEN'));
    expect((await sync('two', 'three', '--continue')).environments).toMatchObject([
      { kind: 'continued' },
      { kind: 'continued' },
    ]);

    await create('four', '--from', 'main~1');
    await exec('four', "sed -i s/two/AGENT/ a.txt; git commit -qam 'Say agent too'");
    const resolving = async () => {
      const answer = await cli.json<{ resolution: { files: unknown[] } }>(['resolve', 'four']);
      return answer.resolution.files;
    };
    expect(await resolving()).toMatchObject([{ path: 'a.txt', state: 'remembered' }]);
    await cli.json(['resolve', 'four', '--abort']);
    await cli.json(['resolve', '--forget', 'a.txt']);
    expect(await resolving()).toMatchObject([{ path: 'a.txt', state: 'open' }]);
    expect((await cli.run(['resolve', '--forget', 'a.txt'])).status).toBe(3);
  });
});
