/** A part of the work now, the rest later; squashed or rebased, and merged again: never a conflict with oneself. */
import { execFile } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { coppiceIn, entry } from '../support/coppice.ts';
import { type FileContent, makeRepository } from '../support/repository.ts';

const numbers = (count = 40) => Array.from({ length: count }, (_, index) => `${index + 1}\n`).join('');

async function setUp(files: Readonly<Record<string, FileContent>> = { 'a.txt': numbers(), 'b.txt': numbers() }) {
  const repository = makeRepository({ files });
  const cli = coppiceIn(repository);
  onTestFinished(async () => void (await cli.run(['remove', '-f', 'one'])));
  const hook = (name: string, script: string) => {
    const path = join(repository.path, '.git/hooks', name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  };
  return {
    repository,
    cli,
    hook,
    create: () => cli.json(['create', 'one', '--runtime', 'sandbox']),
    async exec(script: string) {
      const done = await cli.run(['exec', 'one', '--', 'sh', '-ec', script]);
      expect(done.status, done.stderr).toBe(0);
      return done.stdout.trim();
    },
    merge: (...args: readonly string[]) => cli.json<{ kind: string; hooks: string }>(['merge', 'one', ...args]),
    main: (path: string) => repository.git('show', `main:${path}`),
    sameAsMain: () => repository.git('diff', '--stat', 'main', 'coppice/one'),
  };
}

it('merges chosen paths, and the rest later, though the same lines went on', async () => {
  const one = await setUp();
  await one.create();
  await one.exec("sed -i 's/^5$/five/' a.txt; sed -i 's/^5$/five/' b.txt; git mv b.txt moved.txt; echo new > new.txt");
  expect(await one.merge('--paths', 'moved.txt', '--paths', './new.txt')).toMatchObject({ kind: 'merge', part: true });
  expect(one.repository.git('ls-tree', '--name-only', 'main').split('\n')).toEqual(['a.txt', 'moved.txt', 'new.txt']);
  expect(one.main('a.txt')).toContain('\n5\n');
  expect(one.main('moved.txt')).toContain('\nfive\n');
  expect(await one.exec('git status --porcelain; git log -1 --format=%s')).toBe('Merge what was delivered of one');
  await one.exec("sed -i 's/^five$/FIVE/' a.txt moved.txt");
  one.repository.commit('meanwhile', { 'other.txt': 'other\n' });
  expect(await one.merge()).toMatchObject({ kind: 'merge' });
  expect(one.main('moved.txt')).toContain('\nFIVE\n');
  expect(one.main('a.txt')).toContain('\nFIVE\n');
});

it('merges a commit out of the middle, refuses what depends on others, and takes the rest later', async () => {
  const one = await setUp();
  await one.create();
  await one.exec(`
    sed -i 's/^5$/five/' a.txt; git commit -qam first
    sed -i 's/^9$/nine/' b.txt; git -c user.name=Agent commit -qam second
    sed -i 's/^five$/FIVE/' a.txt; git commit -qam third`);
  const [third = '', second = '', first = ''] = one.repository
    .git('log', '-3', '--format=%h', 'coppice/one')
    .split('\n');
  const depends = await one.cli.json<{ error: { code: string; data: object } }>(['merge', 'one', '--commits', third], {
    allow: [4],
  });
  expect(depends.error).toMatchObject({ code: 'replay-conflict', data: { files: [{ path: 'a.txt' }] } });
  const unknown = await one.cli.run(['merge', 'one', '--commits', 'main']);
  expect(unknown).toMatchObject({ status: 3 });
  expect(unknown.stderr).toContain('second');
  expect(await one.merge('--commits', second)).toMatchObject({ kind: 'merge' });
  expect(one.main('a.txt')).toContain('\n5\n');
  expect(one.repository.git('log', '-1', '--format=%an', 'main^2')).toBe('Agent');
  // All that a commit stands on, chosen too: the agent's own commits, by name.
  expect(await one.merge('--commits', `main..${first}`)).toMatchObject({ kind: 'merge' });
  expect(one.repository.git('rev-parse', 'main^2')).toBe(one.repository.git('rev-parse', first));
  expect(await one.merge()).toMatchObject({ kind: 'merge' });
  expect(one.sameAsMain()).toBe('');
});

it('merges the hunks of a patch file, refuses foreign ones, and the rest later', async () => {
  const one = await setUp({ 'a.txt': numbers(), 'run.sh': 'echo\n', 'gone.txt': 'gone\n', 'pic.bin': '\0\n' });
  await one.create();
  await one.exec("sed -i 's/^5$/five/;s/^30$/thirty/' a.txt; chmod +x run.sh; rm gone.txt; printf '\\0\\1' > pic.bin");
  const patch = (await one.cli.run(['diff', 'one'])).stdout;
  const file = join(one.repository.directory, 'work.patch');
  const without = patch.replace(/@@ -27,7[\s\S]*?(?=diff --git a\/gone)/, '');
  expect(without).not.toBe(patch);
  writeFileSync(file, without.replace('+five', '+5 and more'));
  const foreign = await one.cli.run(['merge', 'one', '--hunks', file]);
  expect(foreign).toMatchObject({ status: 2 });
  expect(foreign.stderr).toContain('do not edit their lines');
  expect(one.repository.git('rev-list', '--count', 'main')).toBe('1');
  writeFileSync(file, without);
  await one.merge('--hunks', file, '--squash', '-m', 'Chosen');
  expect(one.repository.git('log', '-1', '--format=%s %p', 'main')).toMatch(/^Chosen \w+$/);
  expect(one.repository.git('diff', '--name-status', 'main~', 'main')).toBe(
    'M\ta.txt\nD\tgone.txt\nM\tpic.bin\nM\trun.sh',
  );
  expect(one.main('a.txt')).toMatch(/\nfive\n[\s\S]*\n30\n/);
  // What is left is what diff shows, and can be chosen from again.
  await one.exec("sed -i 's/^five$/5!/' a.txt");
  const rest = await one.cli.run(['diff', 'one']);
  expect(rest.stdout).toContain('-five');
  const again = await one.cli.run(['merge', 'one', '--hunks', '-'], { input: rest.stdout });
  expect(again.stderr).toBe('');
  expect(one.sameAsMain()).toBe('');
});

it('asks for each hunk at a terminal', async () => {
  const one = await setUp();
  await one.create();
  await one.exec("sed -i 's/^5$/five/;s/^8$/eight/;s/^30$/thirty/' a.txt; sed -i 's/^1$/one/' b.txt");
  const without = await one.cli.run(['merge', 'one', '--patch']);
  expect(without).toMatchObject({ status: 2 });
  expect(without.stderr).toContain('--hunks FILE');
  const command = `${process.execPath} ${entry} merge one --patch`;
  const status = await new Promise((done) => {
    const env = { ...one.cli.env, TERM: 'dumb' };
    const child = execFile('script', ['-qec', command, '/dev/null'], { cwd: one.repository.path, env }, (error) =>
      done(error?.code ?? 0),
    );
    // Each answer when it is asked for.
    const answers = ['?', 's', 'n', 'y', 'n', 'y'];
    let said = '';
    child.stdout?.on('data', (chunk: string) => {
      said += chunk;
      for (let at = said.search(/\[[^\]]*\?\]\? /); at >= 0; at = said.search(/\[[^\]]*\?\]\? /)) {
        said = said.slice(said.indexOf(']?', at) + 3);
        child.stdin?.write(`${answers.shift() ?? 'q'}\n`);
      }
    });
  });
  expect(status).toBe(0);
  expect(one.main('a.txt')).toMatch(/\n5\n[\s\S]*\neight\n[\s\S]*\n30\n/);
  expect(one.main('b.txt')).toMatch(/^one\n/);
});

it.each(['--squash', '--rebase'])(
  '%s, and work goes on in the same lines: no conflict with what is there',
  async (how) => {
    const one = await setUp();
    await one.create();
    await one.exec("sed -i 's/^5$/five/' a.txt; git -c user.name=Agent commit -qam first; sed -i 's/^9$/nine/' b.txt");
    one.repository.commit('meanwhile', { 'other.txt': 'other\n' });
    const kind = how.slice(2);
    expect(await one.merge(how)).toMatchObject({ kind });
    expect(one.repository.git('rev-list', '--merges', 'main')).toBe('');
    const authors = one.repository.git('log', '--format=%an', 'main~2..main').split('\n');
    expect(authors.includes('Agent')).toBe(how === '--rebase');
    expect(await one.merge(how)).toMatchObject({ kind: 'nothing-to-do' });
    await one.exec("sed -i 's/^five$/FIVE/' a.txt");
    expect(await one.merge(how)).toMatchObject({ kind });
    await one.exec("sed -i 's/^FIVE$/Five/' a.txt");
    expect(await one.merge()).toMatchObject({ kind: 'merge' });
    expect(one.main('a.txt')).toContain('\nFive\n');
    expect(one.main('b.txt')).toContain('\nnine\n');
  },
);

it('says which commit a rebase conflicts at, and changes nothing', async () => {
  const one = await setUp();
  await one.create();
  await one.exec(
    "sed -i 's/^5$/five/' a.txt; git commit -qam first; sed -i 's/^five$/5/' a.txt; git commit -qam back; echo uncommitted >> b.txt",
  );
  one.repository.commit('meanwhile', { 'a.txt': numbers().replace('5\n', 'V\n') });
  const refs = ['main', 'coppice/one', 'refs/coppice/one/head'];
  const before = one.repository.git('rev-parse', ...refs);
  const { error } = await one.cli.json<{ error: { code: string; message: string } }>(['merge', 'one', '--rebase'], {
    allow: [4],
  });
  expect(error.message).toContain('(first)');
  expect(one.repository.git('rev-parse', ...refs)).toBe(before);
});

it('runs the hooks of a merge inside, on its result and its message', async () => {
  const one = await setUp();
  one.hook('pre-merge-commit', 'echo "merging $(cat a.txt | head -1) $(cat other.txt)"; ! grep -q forbidden b.txt');
  one.hook('commit-msg', 'printf "\\nReviewed-by: hook\\n" >> "$1"');
  await one.create();
  one.repository.commit('meanwhile', { 'other.txt': 'of main\n' });
  await one.exec("sed -i 's/^1$/uno/' a.txt; echo forbidden > b.txt");
  const before = one.repository.git('rev-parse', 'main');
  const refused = await one.cli.run(['merge', 'one']);
  expect(refused).toMatchObject({ status: 1 });
  expect(refused.stderr).toContain('merging uno of main');
  expect(one.repository.git('rev-parse', 'main')).toBe(before);
  await one.exec('echo fine > b.txt');
  expect(await one.merge()).toMatchObject({ hooks: 'ran' });
  expect(one.repository.git('log', '-1', '--format=%(trailers:key=Reviewed-by,valueonly)', 'main').trim()).toBe('hook');
  expect(await one.exec('git worktree list | wc -l; git for-each-ref refs/coppice')).toBe('1');
  expect(readFileSync(join(one.repository.path, 'b.txt'), 'utf8')).toBe('fine\n');
  await one.exec('echo forbidden > b.txt');
  expect(await one.merge('--no-verify')).toMatchObject({ hooks: 'none' });
});

it('refuses what cannot go together before it looks at anything', async () => {
  const one = await setUp();
  for (const [options, sentence] of [
    [['--squash', '--rebase'], '--squash and --rebase exclude each other'],
    [['--paths', 'a', '--commits', 'b'], '--paths and --commits exclude each other'],
    [['--paths', 'a', '--remove'], 'merge it first'],
    [['--paths', 'a', '--ff-only'], '--ff-only'],
  ] as const) {
    const { status, stderr } = await one.cli.run(['merge', 'one', ...options]);
    expect(status).toBe(2);
    expect(stderr).toContain(sentence);
  }
});
