/** A branch comes into running environments without anything of theirs being lost, and a conflict is git's own. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { libraryScene } from '../support/library-scene.ts';

const text = (line: string) => `one\n${line}\nthree\nfour\nfive\nsix\nseven\n`;

/** Environments that all changed one line in the same way, and have uncommitted work; main changed it otherwise. */
async function diverged(names: readonly string[] = ['one']) {
  const files = { 'a.txt': text('two'), 'b.txt': 'b\n', 'gone.txt': 'old\n', '.gitignore': '*.local\n' };
  const scene = await libraryScene(files);
  const worktrees = new Map<string, string>();
  for (const name of names) {
    worktrees.set(name, (await scene.create(name)).worktree);
    await scene.exec(
      name,
      "sed -i s/two/AGENT/ a.txt; git commit -qam 'Say agent'; echo mine >> b.txt; echo new > new.txt",
    );
  }
  scene.repository.commit('Say main', { 'a.txt': text('MAIN') });
  const { coppice, failure } = scene;
  type Options = NonNullable<Parameters<typeof coppice.sync>[0]>;
  return {
    ...scene,
    worktreeOf: (name: string) => worktrees.get(name) ?? '',
    sync: async (options: Options = {}) => (await coppice.sync({ names: ['one'], ...options })).environments,
    refused: (options: Options = {}) => failure(coppice.sync({ names: ['one'], ...options })),
  };
}

const stateOf = 'git status --porcelain=v1; git ls-files -s; git rev-parse HEAD; git stash list; cat a.txt b.txt';

describe('sync', () => {
  it('leaves a conflict inside in git’s own form; giving up restores, going on commits the merge and nothing else', async () => {
    const { repository, exec, sync, refused } = await diverged();
    const before = await exec('one', stateOf);
    expect(await refused()).toMatchObject({
      code: 'sync-conflict',
      data: { files: [{ path: 'a.txt', kind: 'content' }], remembered: [] },
    });
    const inside = await exec('one', 'git status --porcelain; git ls-files -u | cut -f1 -d" "; cat a.txt');
    expect(inside).toBe(
      `UU a.txt\n M b.txt\n?? new.txt\n100644\n100644\n100644\n${text(
        '<<<<<<< HEAD\nAGENT\n||||||| MARK\ntwo\n=======\nMAIN\n>>>>>>> refs/remotes/coppice/main',
      )}`.replace('MARK', repository.git('rev-parse', '--short', 'main~1')),
    );
    expect(await refused()).toMatchObject({ code: 'operation-in-progress' });
    await exec('one', 'echo half > a.txt');
    const aborted = (await sync({ abort: true }))[0];
    expect(aborted).toMatchObject({ kind: 'aborted', from: 'main' });
    expect(await exec('one', stateOf)).toBe(before);
    expect(repository.git('show', `${aborted?.before}:a.txt`)).toBe('half');
    expect(await refused({ abort: true })).toMatchObject({ code: 'no-sync' });

    await refused();
    expect(await refused({ continue: true })).toMatchObject({ code: 'conflict-markers' });
    await exec('one', `printf '%s' '${text('BOTH')}' > a.txt`);
    expect(await sync({ continue: true })).toMatchObject([{ kind: 'continued', from: 'main' }]);
    expect(await exec('one', 'git status --porcelain; git log -1 --format=%s')).toBe(
      " M b.txt\n?? new.txt\nMerge branch 'main' into one\n",
    );
    expect(repository.git('rev-parse', 'refs/coppice/one/head^2')).toBe(repository.git('rev-parse', 'main'));
    expect(repository.git('diff', '--name-only', 'main', 'refs/coppice/one/head')).toBe('a.txt');
    expect(await sync()).toMatchObject([{ kind: 'nothing-to-do' }]);
  });

  it('begins nothing where uncommitted, held or ignored files would be overwritten, and names them', async () => {
    const { repository, exec, refused, worktreeOf } = await diverged();
    repository.git('revert', '--no-edit', 'HEAD');
    repository.write({ 'c.local': 'theirs\n', 'b.txt': 'b\ntheirs\n', 'new.txt': 'theirs\n' });
    repository.git('add', '-f', 'c.local', 'b.txt', 'new.txt');
    repository.commit('More of main');
    writeFileSync(join(worktreeOf('one'), 'c.local'), 'precious\n');
    const before = await exec('one', stateOf);
    expect(await refused()).toMatchObject({ code: 'overlap', data: { paths: ['b.txt', 'new.txt'] } });
    expect(await exec('one', stateOf)).toBe(before);
    expect(await refused({ message: 'Mine' })).toMatchObject({ code: 'in-the-way', data: { paths: ['c.local'] } });
    expect(await exec('one', 'git log -1 --format=%s; git status --porcelain')).toBe('Mine\n');
    expect(readFileSync(join(worktreeOf('one'), 'c.local'), 'utf8')).toBe('precious\n');
    await exec('one', 'mv c.local d.local');
    expect(await refused()).toMatchObject({ code: 'sync-conflict' });
    expect(await exec('one', 'cat c.local d.local')).toBe('theirs\nprecious\n');
  });

  it('waits for a quiet moment: never while a command writes, unless asked', async () => {
    const { coppice, exec, sync, refused, worktreeOf, repository } = await diverged();
    repository.git('revert', '--no-edit', 'HEAD');
    repository.commit('Elsewhere', { 'else.txt': 'e\n' });
    const tree = worktreeOf('one');
    const running = async (script: string) => {
      const done = coppice.exec({ name: 'one', command: ['sh', '-c', `echo > up; ${script}`] });
      await eventually(
        () => existsSync(join(tree, 'up')),
        () => 'the command never ran',
        60_000,
      );
      return { done };
    };
    const writing = await running('until test -e stop; do date +%N > busy.txt; sleep 0.1; done; rm up');
    await eventually(
      () => existsSync(join(tree, 'busy.txt')),
      () => 'nothing was written',
      60_000,
    );
    const head = 'git rev-parse HEAD';
    const before = await exec('one', head);
    expect(await refused({ wait: 0 })).toMatchObject({ code: 'environment-busy' });
    expect(await refused({ wait: 3 })).toMatchObject({ code: 'environment-busy' });
    expect(await exec('one', head)).toBe(before);
    expect(await sync({ force: true })).toMatchObject([{ kind: 'merged' }]);
    writeFileSync(join(tree, 'stop'), '');
    await writing.done;
    await exec('one', 'rm -f stop busy.txt');
    repository.commit('Elsewhere again', { 'else.txt': 'again\n' });
    const waiting = await running('until test -e stop; do sleep 0.1; done; rm up');
    expect(await sync({ wait: 60 })).toMatchObject([{ kind: 'merged' }]);
    writeFileSync(join(tree, 'stop'), '');
    await waiting.done;
  });

  it('leaves a merge that the agent makes itself alone', async () => {
    const { exec, refused } = await diverged();
    await exec(
      'one',
      'git stash -qu; git switch -qc side HEAD~1; sed -i s/two/SIDE/ a.txt; git commit -qam s; git switch -q -; git merge side',
    );
    expect(await refused()).toMatchObject({ code: 'operation-in-progress' });
    expect(await refused({ abort: true })).toMatchObject({ code: 'no-sync' });
    expect(await exec('one', 'git status --porcelain')).toBe('UU a.txt\n');
  });
});

describe('a resolution', () => {
  it('is remembered, shared with other environments, found again in other surroundings, and can be forgotten', async () => {
    const { repository, coppice, exec, sync, refused, create, failure } = await diverged(['one', 'two']);
    await refused();
    await exec('one', `printf '%s' '${text('BOTH')}' > a.txt; git commit -qam 'Both'`);
    const known = await coppice.resolve({ remembered: true });
    expect(known.memory).toMatchObject([{ paths: ['a.txt'], environment: 'one' }]);
    // Laid out as git's own cache, under git's own name.
    const id = known.memory[0]?.id ?? '';
    expect(repository.git('ls-tree', '-r', '--name-only', 'refs/coppice/resolutions')).toBe(
      `${id}/about.json\n${id}/postimage\n${id}/preimage`,
    );
    expect(repository.git('show', `refs/coppice/resolutions:${id}/postimage`)).toBe(text('BOTH').trimEnd());

    await exec('two', "sed -i s/seven/SEVEN/ a.txt; git commit -qm 'Say seven' a.txt");
    expect(await sync({ names: [], all: true })).toMatchObject([
      { name: 'one', kind: 'nothing-to-do' },
      { name: 'two', kind: 'conflict', remembered: ['a.txt'] },
    ]);
    // In the files, for somebody to look at; not in the index, and not in a commit.
    expect(await exec('two', 'git status --porcelain a.txt; cat a.txt')).toBe(
      `UU a.txt\n${text('BOTH').replace('seven', 'SEVEN')}`,
    );
    expect(await sync({ names: ['one', 'two'], continue: true })).toMatchObject([
      { kind: 'failed', error: { code: 'no-sync' } },
      { kind: 'continued' },
    ]);

    await create('four', 'main~1');
    await exec('four', "sed -i s/two/AGENT/ a.txt; git commit -qam 'Say agent too'");
    const resolving = async () => (await coppice.resolve({ name: 'four' })).resolution?.files;
    expect(await resolving()).toMatchObject([{ path: 'a.txt', state: 'remembered' }]);
    await coppice.resolve({ name: 'four', abort: true });

    // Into a branch only when asked to, since nobody looks before.
    repository.git('branch', 'side', 'main');
    expect(await failure(coppice.merge({ name: 'four', into: 'side' }))).toMatchObject({ code: 'merge-conflict' });
    expect(await coppice.merge({ name: 'four', into: 'side', useResolutions: true })).toMatchObject({
      resolved: [{ path: 'a.txt', by: 'remembered resolution' }],
    });
    expect(repository.git('show', 'side:a.txt')).toBe(text('BOTH').trimEnd());

    await coppice.resolve({ forget: 'a.txt' });
    expect(await resolving()).toMatchObject([{ path: 'a.txt', state: 'open' }]);
    expect(await failure(coppice.resolve({ forget: 'a.txt' }))).toMatchObject({ code: 'nothing-remembered' });
  });
});
