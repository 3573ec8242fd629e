/** Pairs that are held to be apart merge cleanly; those that conflict are never held to be. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Oid, parseOid } from '../../../src/domain/oid.ts';
import type { PairOutcome } from '../../../src/git/merging.ts';
import { rounds } from '../../support/random.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';
import { clean, conflicting, diverge, mergingOf } from './divergence.ts';

const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/'));
/** What an edit is about: a file that is there, or with `up` a directory over it. */
const there = fc.record({ at: fc.nat(1_000), up: fc.nat(2) });
const edit = fc.oneof(
  fc.record({ add: path }),
  fc.record({ beside: there, name: fc.constantFrom('n', 'm') }),
  fc.record({ remove: there }),
  fc.record({ move: there, to: path }),
  fc.record({ append: there, line: fc.constantFrom('x', 'y') }),
);
type Edit = typeof edit extends fc.Arbitrary<infer Each> ? Each : never;
type Files = ReadonlyMap<string, string>;

function choose(files: Files, { at, up }: { readonly at: number; readonly up: number }): string {
  const parts = ([...files.keys()][at % files.size] ?? 'z').split('/');
  return parts.slice(0, Math.max(1, parts.length - up)).join('/');
}

/** No two alike, so that git knows what was renamed to what. */
function textOf(name: string): string {
  return `this was ${name} at first\n`.repeat(8);
}

/** A file in the way of a directory goes, and the other way round. */
function put(files: Files, at: string, text: string): Files {
  const kept = [...files].filter(([name]) => !name.startsWith(`${at}/`) && !at.startsWith(`${name}/`));
  return new Map([...kept, [at, text]]);
}

function change(files: Files, each: Edit): Files {
  if ('add' in each) return put(files, each.add, `${textOf(each.add)}and more\n`);
  if ('beside' in each) {
    const beside = `${choose(files, { ...each.beside, up: 1 })}/${each.name}`;
    return put(files, beside, textOf(`${beside} beside`));
  }
  if ('append' in each) {
    const name = choose(files, { ...each.append, up: 0 });
    return new Map([...files, [name, `${files.get(name) ?? ''}${each.line}\n`]]);
  }
  const gone = choose(files, 'remove' in each ? each.remove : each.move);
  const within = [...files].filter(([name]) => name === gone || name.startsWith(`${gone}/`));
  let left: Files = new Map([...files].filter(([name]) => !within.some(([other]) => other === name)));
  if ('to' in each) for (const [name, text] of within) left = put(left, each.to + name.slice(gone.length), text);
  return left.size === 0 ? files : left;
}

/** Branches by fast-import: hundreds of commits in a moment. */
function importBranches(made: TestRepository, base: Files, branches: readonly Files[], round: number) {
  const stream: string[] = [];
  const commit = (branch: string, files: Files, from: string) => {
    stream.push(
      `commit refs/heads/${branch}\ncommitter B <b@example.org> 1700000000 +0000\ndata 0\n${from}deleteall\n`,
    );
    for (const [name, text] of files) stream.push(`M 100644 inline ${name}\ndata ${text.length}\n${text}\n`);
  };
  commit(`base-${round}`, base, '');
  for (const [index, files] of branches.entries())
    commit(`r${round}-${index}`, files, `from refs/heads/base-${round}\n`);
  execFileSync('git', ['fast-import', '--quiet'], { cwd: made.path, env: made.env, input: stream.join('') });
  return made
    .git('rev-parse', ...branches.map((_, index) => `r${round}-${index}`))
    .split('\n')
    .map(parseOid);
}

const scene = fc.record({
  start: fc.array(path, { minLength: 10, maxLength: 30 }),
  sides: fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), { minLength: 7, maxLength: 7 }),
});

test('no conflict is ever missed, whatever is renamed, moved and removed', async () => {
  const made = makeRepository();
  const { merging } = await mergingOf(made);
  const seen = { apart: 0, conflict: 0, clean: 0 };
  let round = 0;
  await fc.assert(
    fc.asyncProperty(scene, async ({ start, sides }) => {
      round += 1;
      const base = start.reduce<Files>((files, each) => put(files, each, textOf(each)), new Map([['z', 'z\n']]));
      const branches = sides.map((edits) => edits.reduce((files, each) => change(files, each), base));
      const tips = importBranches(made, base, branches, round);
      const pairs = tips.flatMap((ours, index) => tips.slice(index + 1).map((theirs) => ({ ours, theirs })));
      const apart = await merging.apart(pairs);
      const outcomes: PairOutcome[] = [];
      for await (const outcome of merging.mergeAll(pairs, { keep: false })) outcomes.push(outcome);
      for (const [index, { kind }] of outcomes.entries()) {
        if (apart[index] && kind !== 'clean') throw new Error(`missed: ${pairs[index]?.ours} ${pairs[index]?.theirs}`);
        if (apart[index]) seen.apart += 1;
        else seen[kind === 'clean' ? 'clean' : 'conflict'] += 1;
      }
    }),
    { numRuns: rounds(40) },
  );
  // It would be no test if everything were apart, or nothing.
  expect(Math.min(seen.apart, seen.clean, seen.conflict)).toBeGreaterThan(100);
});

test.each(Object.entries({ ...conflicting, ...clean }))('%s', async (name, [start, ours, theirs]) => {
  const { made, base, left, right } = diverge(start, ours, theirs);
  const { merging } = await mergingOf(made);
  const [sure, around, with_, itself] = await merging.apart([
    { ours: left, theirs: right },
    { ours: right, theirs: left },
    { ours: base, theirs: right },
    { ours: left, theirs: left },
  ]);
  expect([sure, around]).toEqual(name === 'other files' ? [true, true] : [false, false]);
  expect([with_, itself]).toEqual([true, true]);
});

test('bases are those git finds: merged lines, criss-cross, histories that share nothing', async () => {
  const made = makeRepository();
  const random = fc.sample(fc.nat(1_000_000), { numRuns: 500, seed: 7 });
  let at = 0;
  const pick = <Each>(list: readonly Each[]) => list[(random[at++] ?? 0) % list.length] as Each;
  const tree = made.git('rev-parse', 'HEAD^{tree}');
  const commits: Oid[] = [parseOid(made.git('rev-parse', 'HEAD'))];
  for (let count = 0; count < 40; count++) {
    const parents = [
      ...new Set([pick(commits.slice(-6)), ...(pick([0, 1, 2]) === 0 ? [pick(commits.slice(-8))] : [])]),
    ];
    const flags = parents.flatMap((parent) => ['-p', parent]);
    commits.push(parseOid(made.git('commit-tree', tree, ...flags, '-m', `${count}`)));
  }
  const orphan = parseOid(made.git('commit-tree', tree, '-m', 'alone'));
  const { mergeBases } = await import('../../../src/git/merge/merge-bases.ts');
  const { hostGit } = await import('../../../src/git/host-git.ts');
  const { surroundings, repository } = await mergingOf(made);
  const tips = [...commits.filter((_, index) => index % 4 === 0), ...commits.slice(-4)];
  const bases = await mergeBases(hostGit(repository.commonDirectory, surroundings), [...tips, orphan]);
  let several = 0;
  for (const left of tips) {
    for (const right of tips) {
      if (left === right) continue;
      const expected = made.git('merge-base', '--all', left, right).split('\n').sort();
      expect([...(bases.of(left, right) ?? [])].sort()).toEqual(expected);
      several += expected.length > 1 ? 1 : 0;
    }
  }
  expect(several).toBeGreaterThan(0);
  expect(bases.of(orphan, tips[0] ?? orphan)).toBeUndefined();
});
