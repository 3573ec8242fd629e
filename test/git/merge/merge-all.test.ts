/** Merges made by the batch come out exactly as each made alone. */
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Oid } from '../../../src/domain/oid.ts';
import { parseOid } from '../../../src/domain/oid.ts';
import type { MergeOptions, MergePair, Merging, PairOutcome } from '../../../src/git/merging.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';
import { all, clean, conflicting, diverge, lines, mergingOf, write } from './divergence.ts';

async function outcomesOf(merging: Merging, pairs: readonly MergePair[], options?: MergeOptions) {
  const outcomes: PairOutcome[] = [];
  for await (const outcome of merging.mergeAll(pairs, options)) outcomes.push(outcome);
  return outcomes;
}

/** One after the other, with the same errors. */
async function alone(merging: Merging, pairs: readonly MergePair[]): Promise<readonly PairOutcome[]> {
  const outcomes: PairOutcome[] = [];
  for (const { base, ours, theirs } of pairs) {
    const one = base === undefined ? merging.merge(ours, theirs) : merging.mergeTrees(base, ours, theirs);
    outcomes.push(await one.catch((error) => ({ kind: 'impossible', error })));
  }
  return outcomes;
}

/** Every kind of divergence in one repository. */
function everyKind(most = Number.POSITIVE_INFINITY): { made: TestRepository; pairs: readonly MergePair[] } {
  const made = makeRepository();
  const kinds = [...Object.values(clean), ...Object.values(conflicting)].slice(0, most);
  const pairs = kinds.map(([start, ours, theirs]) => {
    const other = diverge(start, ours, theirs);
    made.git('fetch', '-q', other.made.path, other.left, other.right);
    return { ours: other.left, theirs: other.right, base: other.base };
  });
  return { made, pairs };
}

test('every kind of conflict, both ways round, with and without a base, and histories that share nothing', async () => {
  const { made, pairs } = everyKind();
  const { merging } = await mergingOf(made);
  made.git('switch', '-q', '--orphan', 'alone');
  const orphan = parseOid(made.commit('another root', { g: 'g\n' }));
  const around = pairs.flatMap(({ base, ours, theirs }, index): MergePair[] => [
    { ours, theirs },
    { ours: theirs, theirs: ours },
    { ours, theirs: pairs[index + 1]?.theirs ?? ours },
    { ours, theirs, ...(base === undefined ? {} : { base }) },
    { ours, theirs: ours },
    ...(index % 5 === 0 ? [{ ours: orphan, theirs }] : []),
  ]);
  const before = fileCount(join(made.path, '.git/objects'));
  const unkept = await outcomesOf(merging, around, { keep: false });
  expect(fileCount(join(made.path, '.git/objects'))).toBe(before);
  const kept = await outcomesOf(merging, around);
  const expected = await alone(merging, around);
  expect(kept).toEqual(expected);
  expect(unkept).toEqual(expected);
  const kinds = new Set(kept.map(({ kind }) => kind));
  expect(kinds).toEqual(new Set(['clean', 'conflict', 'impossible']));
  for (const each of kept) {
    if (each.kind === 'impossible') expect(each.error).toMatchObject({ code: 'unrelated-histories' });
    else made.git('ls-tree', '-r', each.tree);
  }
});

test('attributes of each pair count for that pair only', async () => {
  const union = all(write('.gitattributes', 'f merge=union\n'), write('f', lines()));
  const plain = write('f', lines());
  const below = all(write('.gitattributes', '*.txt text\n'), write('a/.gitattributes', 'g merge=union\n'));
  const other = all(write('.gitattributes', 'g merge=union\n'), write('f', lines()));
  const made = makeRepository();
  const pair = (start: typeof plain, path: string): MergePair => {
    const first = all(start, write(path, lines()));
    const diverged = diverge(first, write(path, lines('ours')), write(path, lines('theirs')));
    made.git('fetch', '-q', diverged.made.path, diverged.left, diverged.right);
    return { ours: diverged.left, theirs: diverged.right };
  };
  const pairs = [
    pair(union, 'f'),
    pair(plain, 'f'),
    pair(below, 'a/g'),
    pair(below, 'g'),
    pair(other, 'f'),
    pair(union, 'f'),
  ];
  const { merging } = await mergingOf(made);
  const outcomes = await outcomesOf(merging, pairs);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['clean', 'conflict', 'clean', 'conflict', 'conflict', 'clean']);
  expect(outcomes).toEqual(await alone(merging, pairs));
});

test('more pairs than a batch holds keep their order; who stops listening is not waited for with errors', async () => {
  const made = makeRepository({ files: { f: lines() } });
  const start = made.git('rev-parse', 'HEAD');
  const commits = Array.from({ length: 16 }, (_, index): Oid => {
    made.git('switch', '-q', '--detach', start);
    return parseOid(made.commit(`change ${index}`, index % 3 === 0 ? { f: lines(`${index}`) } : { [`${index}`]: 'x' }));
  });
  const pairs = commits.flatMap((ours) => commits.map((theirs) => ({ ours, theirs })));
  const { merging, surroundings } = await mergingOf(made);
  const outcomes = await outcomesOf(merging, pairs, { keep: false });
  const conflicts = outcomes.map(({ kind }) => kind === 'conflict');
  const expected = commits.flatMap((_, left) =>
    commits.map((_, right) => left !== right && left % 3 === 0 && right % 3 === 0),
  );
  expect(conflicts).toEqual(expected);
  for await (const _ of merging.mergeAll(pairs, { keep: false })) break;
  const places = ['/dev/shm', surroundings.runtimeDirectory].filter((place) => existsSync(place));
  const left = places.flatMap((place) => readdirSync(place)).filter((name) => name.includes(`-${process.pid}-`));
  expect(left).toEqual([]);
  expect(await outcomesOf(merging, [])).toEqual([]);
});

test('a commit that is not there spoils only its own pair', async () => {
  const { made, left, right } = diverge(write('f', lines()), write('a', 'a\n'), write('b', 'b\n'));
  const { merging } = await mergingOf(made);
  const missing = parseOid('1'.repeat(40));
  const pairs = [
    { ours: left, theirs: right },
    { ours: left, theirs: missing },
    { base: missing, ours: left, theirs: right },
    { ours: right, theirs: left },
  ];
  const outcomes = await outcomesOf(merging, pairs);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['clean', 'impossible', 'impossible', 'clean']);
});

test('a git that cannot take many at once is asked one by one', async () => {
  const { made, pairs } = everyKind(7);
  const real = made.gitIn('/', '--exec-path');
  writeFileSync(
    join(made.directory, 'git'),
    `#!/bin/sh\nfor word; do [ "$word" = --stdin ] && exit 129; done\nexec ${real}/git "$@"\n`,
  );
  chmodSync(join(made.directory, 'git'), 0o755);
  const plain = pairs.map(({ ours, theirs }) => ({ ours, theirs }));
  const { merging } = await mergingOf(made);
  const expected = await outcomesOf(merging, plain, { keep: false });
  const old = await mergingOf({ ...made, env: { ...made.env, PATH: `${made.directory}:${made.env.PATH}` } });
  expect(await outcomesOf(old.merging, plain, { keep: false })).toEqual(expected);
});

function fileCount(directory: string): number {
  return readdirSync(directory, { recursive: true }).length;
}
