/** Back in time and down to the cause: rewind, conflict markers, blame. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { hangs } from '../support/eventually.ts';
import { type FileContent, makeRepository } from '../support/repository.ts';

async function setUp(files?: Readonly<Record<string, FileContent>>) {
  const repository = makeRepository(files === undefined ? {} : { files });
  const cli = coppiceIn(repository, { settings: { hold: { fileBytes: 1000 } } });
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    for (const { name } of environments) await cli.run(['remove', '-f', name]);
  });
  const made = await cli.json<{ environments: { worktree: string }[] }>(['create', 'one', '--runtime', 'sandbox']);
  const worktree = made.environments[0]?.worktree ?? '';
  const rev = (revision: string) => repository.git('rev-parse', revision);
  return {
    repository,
    cli,
    worktree,
    rev,
    tip: () => rev('coppice/one'),
    treeOf: (revision: string) => rev(`${revision}^{tree}`),
    exec: (script: string) => cli.run(['exec', 'one', '--', 'sh', '-c', script]),
    checkpoint: async () => (await cli.json<{ tip: string }>(['checkpoint', 'one'])).tip,
    text: (path: string) => readFileSync(join(worktree, path), 'utf8'),
    write: (path: string, content: string) => writeFileSync(join(worktree, path), content),
  };
}

interface Rewound {
  readonly to: { readonly oid: string };
  readonly before: string;
  readonly checkpoint: string | null;
  readonly tip: string;
  readonly undo: string;
  readonly changed: readonly string[];
  readonly held: readonly { readonly path: string }[];
  readonly failed: readonly unknown[];
  readonly different: readonly string[];
}

interface Failure {
  readonly error: { readonly code: string; readonly data: Readonly<Record<string, unknown>> };
}

const failureOf = (stdout: string) => (JSON.parse(stdout) as Failure).error;

describe('rewind', () => {
  it('makes the tree equal to a checkpoint, modes, links, deletions and untracked files included, and back again', async () => {
    const one = await setUp({
      'a.txt': 'a\n',
      'run.sh': { executable: '#!/bin/sh\n' },
      'dir/x': 'x\n',
      '.gitignore': 'out/\n',
    });
    const { cli, worktree } = one;
    mkdirSync(join(worktree, 'new/deep'), { recursive: true });
    one.write('new/deep/untracked', 'u\n');
    symlinkSync('a.txt', join(worktree, 'link'));
    rmSync(join(worktree, 'a.txt'));
    const wanted = await one.checkpoint();
    // Everything takes another's place: a file a directory's, a link a file's, a directory a link's.
    rmSync(join(worktree, 'new'), { recursive: true });
    rmSync(join(worktree, 'dir'), { recursive: true });
    rmSync(join(worktree, 'link'));
    symlinkSync('/etc', join(worktree, 'dir'));
    one.write('new', 'a file\n');
    mkdirSync(join(worktree, 'link'));
    one.write('link/inside', 'i\n');
    chmodSync(join(worktree, 'run.sh'), 0o644);
    mkdirSync(join(worktree, 'out'));
    one.write('out/ignored', 'kept\n');
    one.write('unsaved', 'not checkpointed yet\n');
    const head = (await one.exec('git rev-parse HEAD')).stdout;
    const etc = lstatSync('/etc').mtimeMs;

    const done = await cli.json<Rewound>(['rewind', 'one', wanted.slice(0, 12)]);
    expect(done).toMatchObject({ to: { oid: wanted }, failed: [], different: [], held: [] });
    expect(one.treeOf('coppice/one')).toBe(one.treeOf(wanted));
    expect(done.tip).toBe(one.tip());
    expect(one.rev('coppice/one^')).toBe(done.before);
    expect(one.repository.git('show', `${done.before}:unsaved`)).toBe('not checkpointed yet');
    expect(one.text('new/deep/untracked')).toBe('u\n');
    expect(readlinkSync(join(worktree, 'link'))).toBe('a.txt');
    expect(lstatSync(join(worktree, 'dir')).isDirectory()).toBe(true);
    expect(lstatSync(join(worktree, 'run.sh')).mode & 0o111).toBe(0o111);
    expect(existsSync(join(worktree, 'a.txt'))).toBe(false);
    expect(existsSync(join(worktree, 'unsaved'))).toBe(false);
    expect(one.text('out/ignored')).toBe('kept\n');
    expect(lstatSync('/etc').mtimeMs).toBe(etc);
    expect(await one.checkpoint()).toBe(done.tip);
    expect(one.repository.git('log', '-1', '--format=%(trailers:key=Coppice-Cause,valueonly)', done.tip).trim()).toBe(
      `rewind to ${wanted.slice(0, 10)}`,
    );

    const inside = await one.exec('git rev-parse HEAD; git status --porcelain');
    expect(inside.stdout).toBe(`${head} D a.txt\n?? link\n?? new/\n`);

    const back = await cli.json<Rewound>(done.undo.split(' ').slice(1));
    expect(back.to.oid).toBe(done.before);
    expect(one.treeOf('coppice/one')).toBe(one.treeOf(done.before));
    expect(readlinkSync(join(worktree, 'dir'))).toBe('/etc');
    expect(one.text('link/inside')).toBe('i\n');
    expect(one.text('unsaved')).toBe('not checkpointed yet\n');
    const again = await cli.run(['rewind', 'one', done.before]);
    expect(again).toMatchObject({ status: 0 });
    expect(again.stdout).toContain('already');
  });

  it('takes a time, a folded checkpoint, the base, and finds the only environment by itself', async () => {
    const one = await setUp();
    one.write('f', '1\n');
    const first = await one.checkpoint();
    await one.cli.json(['commit', 'one', '-m', 'a commit']);
    one.write('f', '2\n');
    await one.checkpoint();
    const folded = await one.cli.json<Rewound>(['rewind', 'one', 'tails/1']);
    expect(folded.to.oid).toBe(first);
    expect(one.text('f')).toBe('1\n');
    await one.cli.json(['rewind', 'base']);
    expect(existsSync(join(one.worktree, 'f'))).toBe(false);
    const when = new Date(Date.now() + 1000).toISOString();
    const now = await one.cli.json<Rewound>(['rewind', when]);
    expect(now).toMatchObject({ checkpoint: null, to: { oid: one.tip() } });
    const early = await one.cli.run(['rewind', 'one', '300d', '--json']);
    expect(early.status).toBe(3);
    expect(failureOf(early.stdout).code).toBe('nothing-that-old');
  });

  it('refuses what is no state of the environment, before anything changes', async () => {
    const one = await setUp();
    const foreign = one.repository.commit('elsewhere', { other: 'o\n' });
    const before = one.tip();
    for (const [revision, code] of [
      ['main', 'revision-elsewhere'],
      [foreign, 'revision-elsewhere'],
      ['record', 'revision-elsewhere'],
      ['no-such', 'revision-not-found'],
      ['--upload-pack=x', 'revision-not-found'],
    ] as const) {
      const words = revision.startsWith('-') ? ['rewind', 'one', `refs/${revision}`] : ['rewind', 'one', revision];
      const failed = await one.cli.run(['--json', ...words]);
      expect({ status: failed.status, code: failureOf(failed.stdout).code }).toEqual({ status: 3, code });
    }
    const without = await one.cli.run(['--json', 'rewind']);
    expect(without.status).toBe(2);
    expect(one.tip()).toBe(before);
  });

  it('does not touch held files, nor destroy ignored ones that stand in the way', async () => {
    const one = await setUp({ '.gitignore': 'cache\n', 'big.txt': 'small\n', 'x.txt': '1\n' });
    one.write('x.txt', '2\n');
    mkdirSync(join(one.worktree, 'sub'));
    one.write('sub/data', 'd\n');
    const wanted = await one.checkpoint();
    one.write('big.txt', 'another\n');
    rmSync(join(one.worktree, 'sub'), { recursive: true });
    one.write('x.txt', '3\n');
    await one.checkpoint();
    one.write('big.txt', 'x'.repeat(5000));
    const kept = await one.cli.json<Rewound>(['rewind', 'one', wanted]);
    expect(kept.held.map(({ path }) => path)).toEqual(['big.txt']);
    expect(one.text('big.txt')).toHaveLength(5000);
    expect([one.text('x.txt'), one.text('sub/data')]).toEqual(['2\n', 'd\n']);
    expect(one.treeOf('coppice/one')).toBe(one.treeOf(wanted));

    rmSync(join(one.worktree, 'sub'), { recursive: true });
    one.write('.gitignore', 'cache\nsub\n');
    one.write('sub', 'ignored, and in the way\n');
    const refused = await one.cli.run(['--json', 'rewind', 'one', wanted]);
    expect(refused.status).toBe(6);
    expect(failureOf(refused.stdout)).toMatchObject({ code: 'in-the-way', data: { paths: ['sub'] } });
    expect(one.text('sub')).toBe('ignored, and in the way\n');
    expect(one.text('.gitignore')).toBe('cache\nsub\n');
  });

  it('brings back more files than one checkpoint may add, and files over the limit', async () => {
    const one = await setUp({
      'large.txt': 'l'.repeat(5000),
      ...Object.fromEntries([...Array(20)].map((_, n) => [`d/${n}`, `${n}\n`])),
    });
    writeFileSync(
      join(one.repository.home, '.config/coppice/config.json'),
      JSON.stringify({ daemon: 'off', hold: { fileBytes: 1000, checkpointFiles: 5 } }),
    );
    rmSync(join(one.worktree, 'd'), { recursive: true });
    rmSync(join(one.worktree, 'large.txt'));
    await one.checkpoint();
    const done = await one.cli.json<Rewound>(['rewind', 'one', 'base']);
    expect(done).toMatchObject({ held: [], different: [], failed: [] });
    expect(one.treeOf('coppice/one')).toBe(one.treeOf('main'));
    expect(one.text('large.txt')).toHaveLength(5000);
  });

  it('writes the line endings that the attributes of that state ask for', async () => {
    const one = await setUp({ '.gitattributes': '*.txt text eol=crlf\n', 'a.txt': '1\n2\n' });
    rmSync(join(one.worktree, 'a.txt'));
    one.write('.gitattributes', '');
    await one.checkpoint();
    await one.cli.json(['rewind', 'one', 'base']);
    expect(one.text('a.txt')).toBe('1\r\n2\r\n');
    expect(one.treeOf('coppice/one')).toBe(one.treeOf('main'));
    expect((await one.exec('git status --porcelain')).stdout).toBe('');
  });

  it('waits for a merge inside to end, unless forced', async () => {
    const one = await setUp({ f: 'base\n' });
    one.write('g', 'g\n');
    const wanted = await one.checkpoint();
    await one.exec(
      'git checkout -qb side && echo side > f && git commit -qam side && git checkout -q - && echo mine > f && git commit -qam mine && git merge side',
    );
    const refused = await one.cli.run(['--json', 'rewind', 'one', wanted]);
    expect({ status: refused.status, code: failureOf(refused.stdout).code }).toEqual({
      status: 6,
      code: 'operation-in-progress',
    });
    await one.cli.json(['rewind', 'one', wanted, '--force']);
    expect(one.text('f')).toBe('base\n');
    expect((await one.exec('git rev-parse -q --verify MERGE_HEAD')).status).toBe(0);
  });

  it('refuses while a command runs', async () => {
    const one = await setUp();
    const running = one.cli.start(['exec', 'one', '--', 'sh', '-c', 'echo ready; read line; echo done > after']);
    await new Promise((resolve) => running.stdout?.once('data', resolve));
    const refused = await one.cli.run(['--json', 'rewind', 'one', 'base']);
    expect({ status: refused.status, code: failureOf(refused.stdout).code }).toEqual({
      status: 6,
      code: 'environment-busy',
    });
    const ended = new Promise((resolve) => running.once('close', resolve));
    running.stdin?.end('go\n');
    await ended;
    expect(one.text('after')).toBe('done\n');
  });
});

describe('rewind beside the daemon', () => {
  it('is one checkpoint, and the daemon goes on watching', async () => {
    const many = Object.fromEntries([...Array(300)].map((_, n) => [`d${n % 7}/${n}`, `${n}\n`]));
    const repository = makeRepository({ files: many });
    const cli = coppiceIn(repository, { settings: { daemon: 'auto' } });
    onTestFinished(async () => {
      await cli.run(['remove', '-f', 'one']);
      await cli.run(['daemon', 'stop']);
    });
    const made = await cli.json<{ environments: { worktree: string }[] }>(['create', 'one', '--runtime', 'sandbox']);
    const worktree = made.environments[0]?.worktree ?? '';
    for (let n = 0; n < 7; n += 1) rmSync(join(worktree, `d${n}`), { recursive: true });
    const { before, tip } = await cli.json<Rewound>(['rewind', 'one', 'base']);
    expect(repository.git('rev-list', `${before}..${tip}`)).toBe(tip);
    expect(repository.git('rev-parse', `${tip}^{tree}`)).toBe(repository.git('rev-parse', 'main^{tree}'));
    writeFileSync(join(worktree, 'later'), 'seen\n');
    await vi.waitFor(() => expect(repository.git('show', 'coppice/one:later')).toBe('seen'), { timeout: hangs });
    expect(repository.git('rev-parse', 'coppice/one^')).toBe(tip);
  });
});

const conflicted = 'one\n<<<<<<< ours\nmine\n=======\ntheirs\n>>>>>>> theirs\n';

describe('conflict markers', () => {
  it('keep commit and merge from going on, until they are gone or allowed', async () => {
    const one = await setUp({ 'doc.md': `# How\n${conflicted}`, 'plain.txt': 'p\n' });
    one.write('a.txt', conflicted);
    one.write('doc.md', `# Changed\n${conflicted}`);
    const main = one.rev('main');
    for (const command of [
      ['commit', 'one', '-m', 'x'],
      ['merge', 'one'],
    ]) {
      const refused = await one.cli.run(['--json', ...command]);
      expect(refused.status).toBe(6);
      expect(failureOf(refused.stdout)).toMatchObject({ code: 'conflict-markers', data: { files: ['a.txt'] } });
    }
    expect(one.rev('main')).toBe(main);
    expect(one.rev('refs/coppice/one/head')).toBe(main);
    await one.cli.json(['commit', 'one', '-m', 'they belong there', '--allow-markers']);
    one.write('plain.txt', 'q\n');
    await one.cli.json(['commit', 'one', '-m', 'something else']);
    // A branch must not get them because the agent has committed them.
    const refused = await one.cli.run(['--json', 'merge', 'one']);
    expect(failureOf(refused.stdout).code).toBe('conflict-markers');
    await one.cli.json(['merge', 'one', '--allow-markers']);
    expect(one.repository.git('show', 'main:a.txt')).toBe(conflicted.trimEnd());
  });

  it('may be moved with their file', async () => {
    const one = await setUp({ 'fixture.txt': conflicted });
    await one.exec('mkdir sub && mv fixture.txt sub/');
    await one.cli.json(['commit', 'one', '-m', 'moved']);
    expect(one.repository.git('show', 'coppice/one:sub/fixture.txt')).toContain('<<<<<<<');
  });
});

interface Blamed {
  readonly lines: readonly {
    readonly line: number;
    readonly text: string;
    readonly kind: string;
    readonly oid: string;
    readonly commit: string | null;
    readonly cause: string | null;
    readonly execs: readonly string[];
  }[];
}

describe('blame', () => {
  it('leads from a line to the command that wrote it, folded checkpoints included', async () => {
    const one = await setUp({ 'f.txt': 'base\n' });
    const base = one.rev('main');
    const { id } = await one.cli.json<{ id: string }>(['exec', 'one', '--', 'sh', '-c', 'echo generated >> f.txt']);
    const generated = one.tip();
    one.write('f.txt', `${one.text('f.txt')}by hand\n`);
    const byHand = await one.checkpoint();
    await one.cli.json(['commit', 'one', '-m', 'a commit']);
    const commit = one.tip();
    await one.exec('sed -i 1i\\\\first f.txt');
    const { lines } = await one.cli.json<Blamed>(['blame', 'one', 'f.txt']);
    expect(lines).toMatchObject([
      {
        line: 1,
        text: 'first',
        kind: 'checkpoint',
        oid: one.tip(),
        commit: null,
        cause: "exec sh -c 'sed -i 1i\\\\first f.txt'",
      },
      { line: 2, text: 'base', kind: 'commit', oid: base, commit: base, cause: null, execs: [] },
      { line: 3, text: 'generated', kind: 'folded', oid: generated, commit, execs: [id] },
      { line: 4, text: 'by hand', kind: 'folded', oid: byHand, commit, cause: 'edit', execs: [] },
    ]);
    expect(lines[2]?.cause).toContain('echo generated');
    const some = await one.cli.json<Blamed>(['blame', 'f.txt', '--line', '1', '-L', '4-9']);
    expect(some.lines.map(({ line }) => line)).toEqual([1, 4]);
    const people = await one.cli.run(['blame', 'one', 'f.txt', '-L', '3']);
    expect(people.stdout).toMatch(/^[0-9a-f]{10} {2}exec sh -c 'echo generated.* 3 {2}generated\n$/);
  });

  it('traces what the agent committed itself, under the name the file had then', async () => {
    const one = await setUp({ 'old.txt': '1\n2\n3\n4\n5\n' });
    const made = await one.cli.json<{ id: string }>([
      'exec',
      'one',
      '--',
      'sh',
      '-c',
      'echo 6 >> old.txt; git commit -qam six',
    ]);
    await one.exec('git mv old.txt new.txt; git commit -qm moved');
    const { lines } = await one.cli.json<Blamed>(['blame', 'one', 'new.txt', '-L', '6']);
    expect(lines).toMatchObject([{ text: '6', kind: 'folded', execs: [made.id] }]);
  });

  it('looks through what a rewind brought back', async () => {
    const one = await setUp({ 'f.txt': 'base\n' });
    const base = one.rev('main');
    one.write('f.txt', 'base\nby hand\n');
    const byHand = await one.checkpoint();
    await one.cli.json(['commit', 'one', '-m', 'a commit']);
    const commit = one.tip();
    rmSync(join(one.worktree, 'f.txt'));
    const { before } = await one.cli.json<Rewound>(['rewind', 'one', commit]);
    await one.cli.json(['rewind', 'one', before]);
    await one.cli.json(['rewind', 'one', 'tails/1']);
    const { lines } = await one.cli.json<Blamed>(['blame', 'one', 'f.txt']);
    expect(lines).toMatchObject([
      { text: 'base', kind: 'commit', oid: base },
      { text: 'by hand', oid: byHand, cause: 'edit' },
    ]);
    await one.cli.json(['rewind', 'one', commit]);
    one.write('f.txt', 'base\nby hand\nmore\n');
    const again = await one.cli.json<Blamed>(['blame', 'one', 'f.txt', '-L', '2-3']);
    expect(again.lines).toMatchObject([
      { oid: byHand, cause: 'edit' },
      { oid: one.tip(), kind: 'checkpoint' },
    ]);
  });

  it('says clearly what is not there', async () => {
    const one = await setUp({ 'f.txt': 'base\n', empty: '' });
    for (const [words, status, code] of [
      [['blame', 'one', 'nothing'], 3, 'file-not-found'],
      [['blame', 'one', '../../x'], 3, 'file-not-found'],
      [['blame', 'one', 'f.txt', '-L', '2'], 3, 'no-such-line'],
      [['blame', 'one', 'f.txt', '-L', 'x'], 2, 'bad-lines'],
      [['blame', 'one', 'f.txt', '-L', '3-2'], 2, 'bad-lines'],
    ] as const) {
      const failed = await one.cli.run(['--json', ...words]);
      expect({ status: failed.status, code: failureOf(failed.stdout).code }).toEqual({ status, code });
    }
    expect(await one.cli.json<Blamed>(['blame', 'one', 'empty'])).toMatchObject({ lines: [] });
  });
});
