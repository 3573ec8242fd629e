/** What is foreseen of merges is what comes of them, however it was told. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Oid, parseOid } from '../../../src/domain/oid.ts';
import { openObjectReader } from '../../../src/git/checkpoint/object-reader.ts';
import { hostGit } from '../../../src/git/host-git.ts';
import { openHistory } from '../../../src/git/merge/foresee/history.ts';
import type { Foreseen, MergePair, Merging } from '../../../src/git/merging.ts';
import { rounds } from '../../support/random.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';
import { all, clean, conflicting, diverge, lines, mergingOf, write } from './divergence.ts';

/** By whole merges, in the form in which they are foreseen. */
async function merged(merging: Merging, pairs: readonly MergePair[]) {
  const found: unknown[] = [];
  for await (const outcome of merging.mergeAll(pairs, { keep: false, regions: true })) {
    if (outcome.kind === 'clean') found.push({ kind: 'clean' });
    else if (outcome.kind === 'conflict') found.push({ kind: 'conflict', conflicts: outcome.conflicts });
    else found.push({ kind: 'impossible', code: outcome.error.code });
  }
  return found;
}

function withoutSource(foreseen: Foreseen) {
  if (foreseen.kind === 'clean') return { kind: 'clean' };
  if (foreseen.kind === 'conflict') return { kind: 'conflict', conflicts: foreseen.conflicts };
  return { kind: 'impossible', code: foreseen.error.code };
}

/** Throws where the two differ. */
async function foreseeRightly(merging: Merging, pairs: readonly MergePair[]): Promise<readonly Foreseen[]> {
  const foreseen = await merging.foresee(pairs);
  expect(foreseen.map(withoutSource)).toEqual(await merged(merging, pairs));
  return foreseen;
}

interface File {
  readonly mode: '100644' | '100755' | '120000' | '160000';
  readonly text: string;
}
type Files = ReadonlyMap<string, File>;

const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/'));
/** What an edit is about: a file that is there, or with `up` a directory over it. */
const there = fc.record({ at: fc.nat(1_000), up: fc.nat(2) });
const rules = fc.constantFrom(
  '* merge=union\n',
  'a merge=union\n',
  'b/* binary\n* !merge\n',
  '[attr]mine merge=union\nc mine\n',
  'd conflict-marker-size=12\n',
  'A -merge\n',
  '* text\n',
);
const line = fc.record({ alter: there, line: fc.nat(11), word: fc.constantFrom('x', 'y') });
const edit = fc.oneof(
  { weight: 12, arbitrary: line },
  fc.record({ add: path }),
  fc.record({ beside: there, name: fc.constantFrom('n', 'm') }),
  fc.record({ remove: there }),
  fc.record({ move: there, to: path }),
  fc.record({ append: there, line: fc.constantFrom('x', 'y') }),
  fc.record({ mode: there }),
  fc.record({ turn: there, into: fc.constantFrom('link', 'binary', 'submodule'), as: fc.constantFrom('1', '2') }),
  fc.record({ rules, in: fc.constantFrom('', 'a/', 'b/') }),
);
type Edit = typeof edit extends fc.Arbitrary<infer Each> ? Each : never;

function choose(files: Files, { at, up }: { readonly at: number; readonly up: number }): string {
  const parts = ([...files.keys()][at % files.size] ?? 'z').split('/');
  return parts.slice(0, Math.max(1, parts.length - up)).join('/');
}

/** No two alike, so that git knows what was renamed to what. */
function fileOf(name: string): File {
  const text = Array.from({ length: 12 }, (_, index) => `${index} of what was ${name} at first\n`);
  return { mode: '100644', text: text.join('') };
}

/** A file in the way of a directory goes, and the other way round. */
function put(files: Files, at: string, file: File): Files {
  const kept = [...files].filter(([name]) => !name.startsWith(`${at}/`) && !at.startsWith(`${name}/`));
  return new Map([...kept, [at, file]]);
}

function alter(files: Files, where: { readonly at: number }, how: (file: File) => File): Files {
  const name = choose(files, { ...where, up: 0 });
  const file = how(files.get(name) ?? fileOf(name));
  return new Map([...files, [name, file.mode === '160000' ? { ...file, text: file.text.slice(0, 40) } : file]]);
}

function turned(file: File, into: string, as: string): File {
  if (into === 'link') return { mode: '120000', text: `to ${as}` };
  if (into === 'submodule') return { mode: '160000', text: as.repeat(40) };
  if (file.mode === '160000') return fileOf(as);
  return { ...file, text: `\0${as}${file.text}` };
}

function changeContent(files: Files, each: Edit): Files | undefined {
  if ('alter' in each) {
    return alter(files, each.alter, (file) => ({
      ...file,
      text: file.text.replace(new RegExp(`^${each.line} of.*$`, 'm'), `${each.line} of ${each.word}`),
    }));
  }
  if ('append' in each) return alter(files, each.append, (file) => ({ ...file, text: `${file.text}${each.line}\n` }));
  if ('mode' in each) {
    return alter(files, each.mode, (file) => (file.mode === '100644' ? { ...file, mode: '100755' } : file));
  }
  if ('turn' in each) return alter(files, each.turn, (file) => turned(file, each.into, each.as));
  if ('rules' in each) return put(files, `${each.in}.gitattributes`, { mode: '100644', text: each.rules });
  return undefined;
}

function change(files: Files, each: Edit): Files {
  const changed = changeContent(files, each);
  if (changed !== undefined) return changed;
  if ('add' in each) return put(files, each.add, fileOf(`${each.add} added`));
  if ('beside' in each) {
    const beside = `${choose(files, { ...each.beside, up: 1 })}/${each.name}`;
    return put(files, beside, fileOf(`${beside} beside`));
  }
  if (!('remove' in each) && !('move' in each)) return files;
  const gone = choose(files, 'remove' in each ? each.remove : each.move);
  const within = [...files].filter(([name]) => name === gone || name.startsWith(`${gone}/`));
  let left: Files = new Map([...files].filter(([name]) => !within.some(([other]) => other === name)));
  if ('to' in each) for (const [name, file] of within) left = put(left, each.to + name.slice(gone.length), file);
  return left.size === 0 ? files : left;
}

/** Commits by fast-import: hundreds in a moment. Each is a branch, from another one or from nothing. */
function importCommits(
  made: TestRepository,
  commits: readonly { readonly branch: string; readonly from?: string; readonly files: Files }[],
): readonly Oid[] {
  const stream: string[] = [];
  for (const { branch, from, files } of commits) {
    stream.push(`commit refs/heads/${branch}\ncommitter B <b@example.org> 1700000000 +0000\ndata 0\n`);
    stream.push(`${from === undefined ? '' : `from refs/heads/${from}\n`}deleteall\n`);
    for (const [name, { mode, text }] of files) {
      if (mode === '160000') stream.push(`M 160000 ${text} ${name}\n`);
      else stream.push(`M ${mode} inline ${name}\ndata ${text.length}\n${text}\n`);
    }
  }
  execFileSync('git', ['fast-import', '--quiet'], { cwd: made.path, env: made.env, input: stream.join('') });
  return made
    .git('rev-parse', ...commits.map(({ branch }) => branch))
    .split('\n')
    .map(parseOid);
}

const scene = fc.record({
  start: fc.array(path, { minLength: 8, maxLength: 20 }),
  before: fc.array(edit, { maxLength: 3 }),
  sides: fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { minLength: 7, maxLength: 7 }),
  later: fc.array(line, { minLength: 1, maxLength: 2 }),
});

test('whatever is changed, renamed, moved, removed and turned into something else', {
  timeout: rounds(300_000),
}, async () => {
  const made = makeRepository();
  const { merging } = await mergingOf(made);
  const seen: Record<string, number> = {};
  let round = 0;
  await fc.assert(
    fc.asyncProperty(scene, async ({ start, before, sides, later }) => {
      round += 1;
      const first = start.reduce<Files>((files, each) => put(files, each, fileOf(each)), new Map([['z', fileOf('z')]]));
      const base = before.reduce<Files>(change, first);
      const branches = sides.map((edits) => edits.reduce<Files>(change, base));
      const from = `base-${round}`;
      const side = (index: number) => `r${round}-${index}`;
      const [, ...tips] = importCommits(made, [
        { branch: from, files: base },
        ...branches.map((files, index) => ({ branch: side(index), from, files })),
      ]);
      const pairs = tips.flatMap((ours, index) => tips.slice(index + 1).map((theirs) => ({ ours, theirs })));
      const foreseen = [...(await foreseeRightly(merging, pairs))];
      // One more commit on one of them, which finds most of it remembered.
      const files = later.reduce<Files>(change, branches[0] ?? base);
      const more = importCommits(made, [{ branch: `${side(0)}-more`, from: side(0), files }]);
      const others = tips.slice(1);
      const again = more.flatMap((tip) => others.map((theirs) => ({ ours: tip, theirs })));
      foreseen.push(...(await foreseeRightly(merging, again)));
      for (const { kind, from: source } of foreseen) seen[`${kind} ${source}`] = (seen[`${kind} ${source}`] ?? 0) + 1;
    }),
    { numRuns: rounds(40) },
  );
  // It would be no test if all of them were told in one way.
  const ways = ['clean paths', 'clean files', 'conflict files', 'clean trees', 'conflict trees'];
  expect(Math.min(...ways.map((way) => seen[way] ?? 0)), JSON.stringify(seen)).toBeGreaterThan(30);
});

test.each(Object.entries({ ...conflicting, ...clean }))('%s', async (_, [start, ours, theirs]) => {
  const { made, base, left, right } = diverge(start, ours, theirs);
  const { merging } = await mergingOf(made);
  await foreseeRightly(merging, [
    { ours: left, theirs: right },
    { ours: right, theirs: left },
    { ours: base, theirs: right },
    { ours: left, theirs: left },
    { ours: left, theirs: right, base },
  ]);
});

/** One file changed on both sides, in the same line. */
function apartIn(path: string, rules: string) {
  const start = all(write('.gitattributes', rules), write(path, lines()));
  return diverge(start, write(path, lines('ours')), write(path, lines('theirs')));
}

test.each([
  ['*.txt merge=union\n', 'trees', 'clean'],
  ['*.md merge=union\n', 'files', 'conflict'],
  ['*.txt text eol=lf\n', 'files', 'conflict'],
  ['*.TXT binary\n', 'trees', 'conflict'],
])('attributes count where they say something of the file: %j', async (rules, from, kind) => {
  const { made, left, right } = apartIn('a/f.txt', rules);
  const { merging } = await mergingOf(made);
  expect(await foreseeRightly(merging, [{ ours: left, theirs: right }])).toMatchObject([{ kind, from }]);
});

test("the repository's own attributes and settings leave it to git", async () => {
  const { made, left, right } = apartIn('f', '');
  const pair = { ours: left, theirs: right };
  const { merging } = await mergingOf(made);
  expect(await foreseeRightly(merging, [pair])).toMatchObject([{ kind: 'conflict', from: 'files' }]);
  mkdirSync(join(made.path, '.git/info'), { recursive: true });
  writeFileSync(join(made.path, '.git/info/attributes'), 'f merge=union\n');
  expect(await foreseeRightly(merging, [pair])).toMatchObject([{ kind: 'clean', from: 'trees' }]);
  writeFileSync(join(made.path, '.git/info/attributes'), '');
  made.git('config', 'merge.renormalize', 'true');
  expect(await foreseeRightly(merging, [pair])).toMatchObject([{ kind: 'conflict', from: 'trees' }]);
});

test('a commit, a tree or a file that is not there spoils only its own pair', async () => {
  const { made, left, right } = diverge(write('f', lines()), write('f', lines('a')), write('f', lines('b')));
  made.git('update-index', '--cacheinfo', `100644,${'1'.repeat(40)},f`);
  const lost = made.git('commit-tree', '-p', `${left}^`, '-m', 'lost', made.git('write-tree', '--missing-ok'));
  const { merging } = await mergingOf(made);
  await foreseeRightly(merging, [
    { ours: left, theirs: right },
    { ours: left, theirs: parseOid('1'.repeat(40)) },
    { ours: parseOid(lost), theirs: right },
    { ours: right, theirs: left },
  ]);
});

test('what one pair removes and another one adds is no rename', async () => {
  const made = makeRepository({ files: { f: lines('a', 'b', 'c') } });
  const start = made.git('rev-parse', 'HEAD');
  const branch = (files: Parameters<TestRepository['commit']>[1]) => {
    made.git('switch', '-q', '--detach', start);
    return parseOid(made.commit('change', files));
  };
  made.git('switch', '-q', '--detach', start);
  made.git('rm', '-q', 'f');
  made.git('commit', '-qm', 'without');
  const removed = parseOid(made.git('rev-parse', 'HEAD'));
  const pairs = [
    { ours: removed, theirs: branch({ f: lines('a', 'b', 'x') }) },
    { ours: branch({ g: lines('a', 'b', 'c') }), theirs: branch({ g: lines('a', 'b', 'y') }) },
  ];
  const { merging } = await mergingOf(made);
  expect(await foreseeRightly(merging, pairs)).toMatchObject([
    { from: 'files', conflicts: [{ kind: 'modify/delete' }] },
    { from: 'files', conflicts: [{ kind: 'add/add' }] },
  ]);
});

test('another checkpoint elsewhere merges nothing again', async () => {
  const { made, left, right } = apartIn('f', '');
  const log = join(made.directory, 'log');
  const real = made.gitIn('/', '--exec-path');
  writeFileSync(join(made.directory, 'git'), `#!/bin/sh\necho "$*" >>${log}\nexec ${real}/git "$@"\n`);
  chmodSync(join(made.directory, 'git'), 0o755);
  const { merging } = await mergingOf({ ...made, env: { ...made.env, PATH: `${made.directory}:${made.env.PATH}` } });
  const asked = () => readFileSync(log, 'utf8').split('\n');
  const before = await merging.foresee([{ ours: left, theirs: right }]);
  expect(asked().filter((line) => line.includes('merge-tree'))).toHaveLength(1);
  const tip = parseOid(made.commit('elsewhere', { g: 'g\n' }));
  writeFileSync(log, '');
  expect(await merging.foresee([{ ours: tip, theirs: right }])).toEqual(before);
  expect(asked().filter((line) => /merge-tree|rev-list|merge-base|diff-tree/.test(line))).toEqual([]);
});

test('bases are those git finds, also of commits that came later: merged lines, criss-cross, strangers', async () => {
  const made = makeRepository();
  const random = fc.sample(fc.nat(1_000_000), { numRuns: 500, seed: 7 });
  let at = 0;
  const pick = <Each>(list: readonly Each[]) => list[(random[at++] ?? 0) % list.length] as Each;
  const tree = made.git('rev-parse', 'HEAD^{tree}');
  const commits: Oid[] = [parseOid(made.git('rev-parse', 'HEAD'))];
  const grow = (count: number) => {
    for (let each = 0; each < count; each++) {
      const parents = [
        ...new Set([pick(commits.slice(-6)), ...(pick([0, 1, 2]) === 0 ? [pick(commits.slice(-8))] : [])]),
      ];
      const flags = parents.flatMap((parent) => ['-p', parent]);
      commits.push(parseOid(made.git('commit-tree', tree, ...flags, '-m', `${commits.length}`)));
    }
  };
  const orphan = parseOid(made.git('commit-tree', tree, '-m', 'alone'));
  const { surroundings, repository } = await mergingOf(made);
  const git = hostGit(repository.commonDirectory, surroundings);
  const reader = openObjectReader(git);
  const history = openHistory(git);
  let several = 0;
  for (const more of [20, 1, 5, 14]) {
    grow(more);
    const tips = [...commits.filter((_, index) => index % 5 === 0), ...commits.slice(-3)];
    const bases = await history.bases([...tips, orphan], reader);
    for (const left of tips) {
      for (const right of tips) {
        if (left === right) continue;
        const expected = made.git('merge-base', '--all', left, right).split('\n').sort();
        expect([...(bases.of(left, right) ?? [])].sort()).toEqual(expected);
        several += expected.length > 1 ? 1 : 0;
      }
    }
    expect(bases.of(orphan, tips[0] ?? orphan)).toBeUndefined();
  }
  expect(several).toBeGreaterThan(0);
  const child = parseOid(made.git('commit-tree', tree, '-p', orphan, '-m', 'a child of it'));
  const joined = parseOid(made.git('commit-tree', tree, '-p', child, '-p', commits.at(-1) ?? orphan, '-m', 'joined'));
  const [tip = orphan] = commits;
  expect((await history.bases([tip, child], reader)).of(tip, child)).toBeUndefined();
  expect((await history.bases([tip, joined], reader)).of(tip, joined)).toEqual([tip]);
  await reader.close();
});
