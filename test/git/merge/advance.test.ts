/** A branch moves forward with the checkout that has it, or nothing moves at all. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Oid } from '../../../src/domain/oid.ts';
import { parseRefName } from '../../../src/domain/ref-name.ts';
import { makeRepository, writeFiles } from '../../support/repository.ts';
import { type Fixture, fixtureOf, makeFixture } from './checkout-fixture.ts';

const main = parseRefName('refs/heads/main');
const files = { f: 'f\n', g: 'g\n', 'd/x': 'x\n', 'd/y': 'y\n', gone: 'gone\n', 'h h': 'h\n' };

/** A commit that changes, adds, removes, renames, and turns kinds into one another. */
function everything({ commitOn, tip }: Fixture): Oid {
  return commitOn(tip('main'), {
    f: 'f changed\n',
    gone: null,
    'new/deep/file': 'new\n',
    run: { executable: '#!/bin/sh\n' },
    link: { link: 'f' },
    'd/x': null,
    'd/y': null,
    d: 'a file now\n',
    'naïve\tname': 'odd\n',
  });
}

describe('delivered', () => {
  test('to the checkout, where unrelated changes stay as they are', async () => {
    const fixture = await makeFixture(files);
    const { made, merging, tip } = fixture;
    const [before, after] = [tip('main'), everything(fixture)];
    made.write({ g: 'mine\n', 'h h': 'staged\n', untracked: 'u\n' });
    made.git('add', 'h h');
    expect(await merging.advance(main, before, after, 'coppice: merge x')).toEqual({ worktree: made.path });
    expect(tip('main')).toBe(after);
    expect(made.git('status', '--porcelain').split('\n').sort()).toEqual([' M g', '?? untracked', 'M  "h h"']);
    expect(readFileSync(join(made.path, 'd'), 'utf8')).toBe('a file now\n');
    expect(statSync(join(made.path, 'run')).mode & 0o111).not.toBe(0);
    expect(made.git('log', '-g', '-1', '--format=%gs', 'main')).toContain('coppice: merge x');
  });

  test('to a linked worktree that has the branch, when called from another', async () => {
    const fixture = await makeFixture(files);
    const { made, merging, tip, commitOn } = fixture;
    const linked = join(made.directory, 'linked');
    made.git('worktree', 'add', '-q', '-b', 'side', linked);
    const after = commitOn(tip('side'), { f: 'side\n' });
    const { worktree } = await merging.advance(parseRefName('refs/heads/side'), tip('side'), after, 'coppice: merge');
    expect(worktree).toBe(linked);
    expect(made.gitIn(linked, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(linked, 'f'), 'utf8')).toBe('side\n');
    expect(readFileSync(join(made.path, 'f'), 'utf8')).toBe('f\n');
  });

  test('to the reference only, where nobody has it checked out or only an environment has', async () => {
    const { made, merging, tip, commitOn, picture, surroundings } = await makeFixture(files);
    made.git('branch', 'aside');
    const after = commitOn(tip('main'), { f: 'aside\n' });
    const environment = join(surroundings.dataDirectory, 'id', 'name', 'tree');
    made.git('worktree', 'add', '-q', '-b', 'coppice/name', environment);
    const before = new Map([...picture()].filter(([path]) => !path.startsWith('.git/')));
    for (const branch of ['aside', 'coppice/name']) {
      const ref = parseRefName(`refs/heads/${branch}`);
      expect(await merging.advance(ref, tip('main'), after, 'coppice: merge')).toEqual({ worktree: null });
      expect(tip(branch)).toBe(after);
    }
    expect(readFileSync(join(environment, 'f'), 'utf8')).toBe('f\n');
    expect(new Map([...picture()].filter(([path]) => !path.startsWith('.git/')))).toEqual(before);
    const created = parseRefName('refs/heads/created');
    expect(await merging.advance(created, null, after, 'coppice: merge')).toEqual({ worktree: null });
    expect(tip('created')).toBe(after);
  });

  test('to a branch yet unborn, with its files', async () => {
    const made = makeRepository({ unborn: true });
    const fixture = await fixtureOf(made, made.path);
    const other = makeRepository({ files });
    made.git('fetch', '-q', other.path, 'main:refs/heads/other');
    made.write({ mine: 'mine\n' });
    const { worktree } = await fixture.merging.advance(main, null, fixture.tip('other'), 'coppice: merge');
    expect(worktree).toBe(made.path);
    expect(made.git('status', '--porcelain')).toBe('?? mine');
    expect(fixture.tip('main')).toBe(fixture.tip('other'));
  });

  test("through the user's filters, without their hooks, whatever their configuration asks of merges", async () => {
    const { made, merging, tip, commitOn } = await makeFixture({
      '.gitattributes': '*.up filter=up\n*.crlf eol=crlf\n',
    });
    made.git('config', 'filter.up.smudge', 'tr a-z A-Z');
    made.git('config', 'filter.up.clean', 'tr A-Z a-z');
    made.git('config', 'merge.ff', 'false');
    made.git('config', 'merge.verifySignatures', 'true');
    made.git('config', 'merge.autoStash', 'true');
    made.git('config', 'branch.main.mergeOptions', '--squash --no-commit');
    const canary = join(made.directory, 'canary');
    for (const hook of [
      'post-merge',
      'post-checkout',
      'reference-transaction',
      'post-index-change',
      'pre-merge-commit',
    ]) {
      writeFiles(join(made.path, '.git/hooks'), { [hook]: { executable: `#!/bin/sh\ntouch ${canary}\n` } });
    }
    const after = commitOn(tip('main'), { 'a.up': 'text\n', 'b.crlf': 'line\n' });
    await merging.advance(main, tip('main'), after, 'coppice: merge');
    expect(tip('main')).toBe(after);
    expect(readFileSync(join(made.path, 'a.up'), 'utf8')).toBe('TEXT\n');
    expect(readFileSync(join(made.path, 'b.crlf'), 'utf8')).toBe('line\r\n');
    expect(made.git('-c', 'core.hooksPath=/dev/null', 'status', '--porcelain')).toBe('');
    expect(existsSync(canary)).toBe(false);
  });
});

type Prepare = (fixture: Fixture) => void;

const refused: Readonly<Record<string, readonly [code: string, paths: readonly string[] | undefined, Prepare]>> = {
  'a file changed': ['checkout-dirty', ['f'], ({ made }) => made.write({ f: 'mine\n' })],
  'a file changed and staged': [
    'checkout-dirty',
    ['f'],
    ({ made }) => {
      made.write({ f: 'mine\n' });
      made.git('add', 'f');
    },
  ],
  'a file staged and changed back': [
    'checkout-dirty',
    ['f'],
    ({ made }) => {
      made.write({ f: 'mine\n' });
      made.git('add', 'f');
      made.write({ f: 'f\n' });
    },
  ],
  'a mode changed': ['checkout-dirty', ['f'], ({ made }) => chmodSync(join(made.path, 'f'), 0o755)],
  'a file that will go, changed': ['checkout-dirty', ['gone'], ({ made }) => made.write({ gone: 'still here\n' })],
  'a file deleted that changes': ['checkout-dirty', ['f'], ({ made }) => rmSync(join(made.path, 'f'))],
  'an untracked file in the way': ['checkout-dirty', ['run'], ({ made }) => made.write({ run: 'mine\n' })],
  'an ignored file in the way': [
    'checkout-dirty',
    ['run'],
    ({ made }) => {
      made.write({ run: 'mine\n' });
      writeFileSync(join(made.path, '.git/info/exclude'), 'run\n');
    },
  ],
  'an untracked file in a directory that becomes a file': [
    'checkout-dirty',
    ['d/z'],
    ({ made }) => made.write({ 'd/z': 'mine\n' }),
  ],
  'an untracked file where a directory must be': [
    'checkout-dirty',
    ['new'],
    ({ made }) => made.write({ new: 'mine\n' }),
  ],
  'an untracked link where a directory must be': [
    'checkout-dirty',
    ['new'],
    ({ made }) => symlinkSync('/tmp', join(made.path, 'new')),
  ],
  'a file added with intent': [
    'checkout-dirty',
    ['run'],
    ({ made }) => {
      made.write({ run: 'mine\n' });
      made.git('add', '-N', 'run');
    },
  ],
  'a merge in progress': [
    'checkout-busy',
    undefined,
    ({ made, commitOn, tip }) => {
      made.git('update-ref', 'refs/heads/other', commitOn(tip('main'), { g: 'other\n' }));
      made.git('merge', '-q', '--no-commit', '--no-ff', 'other');
    },
  ],
  'a cherry-pick in progress': [
    'checkout-busy',
    undefined,
    ({ made, tip }) => writeFileSync(join(made.path, '.git/CHERRY_PICK_HEAD'), `${tip('main')}\n`),
  ],
  'an am in progress': ['checkout-busy', undefined, ({ made }) => mkdirSync(join(made.path, '.git/rebase-apply'))],
  'an index lock': ['checkout-busy', undefined, ({ made }) => writeFileSync(join(made.path, '.git/index.lock'), '')],
  'a branch that has moved': [
    'ref-moved',
    undefined,
    ({ made }) => {
      made.commit('meanwhile', { other: 'other\n' });
    },
  ],
  'a rebase of the branch': [
    'checkout-busy',
    undefined,
    ({ made, commitOn, tip }) => {
      const onto = commitOn(tip('main~1'), { g: 'onto\n' });
      expect(() => made.git('-c', 'core.editor=false', 'rebase', '-q', onto)).toThrow();
    },
  ],
};

describe.each(Object.entries(refused))('refused: %s', (_name, [code, paths, prepare]) => {
  test('and every byte of the checkout is as before', async () => {
    const fixture = await makeFixture(files);
    const { made, merging, tip } = fixture;
    made.write({ g: 'stashed\n' });
    made.git('stash', 'push', '-q');
    made.commit('second', { g: 'second\n' });
    const [before, after] = [tip('main'), everything(fixture)];
    prepare(fixture);
    const picture = fixture.picture();
    const attempt = merging.advance(main, before, after, 'coppice: merge');
    await expect(attempt).rejects.toMatchObject({
      code,
      ...(paths === undefined ? {} : { data: { worktree: made.path, paths } }),
    });
    expect(fixture.picture()).toEqual(picture);
  });
});

test('what does not descend is refused', async () => {
  const { merging, tip, commitOn, made } = await makeFixture(files);
  const sideways = commitOn(tip('main'), { f: 'x\n' });
  made.commit('meanwhile', { other: 'other\n' });
  await expect(merging.advance(main, tip('main'), sideways, 'x')).rejects.toMatchObject({ code: 'not-fast-forward' });
});

test('an unborn branch with a file in the way stays unborn', async () => {
  const made = makeRepository({ unborn: true });
  const fixture = await fixtureOf(made, made.path);
  made.git('fetch', '-q', makeRepository({ files }).path, 'main:refs/heads/other');
  made.write({ f: 'mine\n' });
  const picture = fixture.picture();
  const attempt = fixture.merging.advance(main, null, fixture.tip('other'), 'x');
  await expect(attempt).rejects.toMatchObject({ code: 'checkout-dirty', data: { paths: ['f'] } });
  expect(fixture.picture()).toEqual(picture);
});

test('deliveries at the same time: one wins, the other learns it, nothing is lost', async () => {
  const fixture = await makeFixture(files);
  const { merging, tip, commitOn, made } = fixture;
  const before = tip('main');
  const rivals = ['a', 'b', 'c'].map((name) => commitOn(before, { [name]: name }));
  const answers = await Promise.allSettled(
    rivals.map((after) => merging.advance(main, before, after, 'coppice: merge')),
  );
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const answer of answers) {
    if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'ref-moved' });
  }
  expect(rivals).toContain(tip('main'));
  expect(made.git('status', '--porcelain')).toBe('');
});
