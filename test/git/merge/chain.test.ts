/** Many branches merged one after the other come out as git itself would merge them, one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textOf } from '../../../src/domain/byte-path.ts';
import { type Oid, parseOid } from '../../../src/domain/oid.ts';
import { rounds } from '../../support/random.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';
import { mergingOf } from './divergence.ts';

const author = { name: 'Ursula', email: 'ursula@example.org' };
const text = (changes: Readonly<Record<number, string>> = {}) =>
  Array.from({ length: 12 }, (_, index) => `${changes[index] ?? `line ${index}`}\n`).join('');

/** What single merges say, each into what those before made. */
async function oneByOne(made: TestRepository, start: Oid, sides: readonly Oid[]) {
  const { merging, repository } = await mergingOf(made);
  let at = start;
  const trees: (Oid | 'conflict' | 'contained')[] = [];
  for (const side of sides) {
    const { tree: before } = await repository.readCommit(at);
    const outcome = await merging.merge(at, side);
    if (outcome.kind === 'conflict') trees.push('conflict');
    else if (outcome.tree === before) trees.push('contained');
    else {
      trees.push(outcome.tree);
      const parents = [at, side];
      at = await repository.writeCommit({ tree: outcome.tree, parents, author, committer: author, message: 'm\n' });
    }
  }
  return trees;
}

async function chained(made: TestRepository, start: Oid, sides: readonly Oid[]) {
  const { merging } = await mergingOf(made);
  const steps = await merging.chain(
    start,
    sides.map((commit, index) => ({ commit, message: `Merge ${index}\n` })),
    { author },
  );
  return { steps, trees: steps.map((step) => (step.kind === 'clean' ? step.tree : step.kind)) };
}

const edits: Readonly<Record<string, (made: TestRepository, n: number) => void>> = {
  own: (made, n) => made.write({ [`dir/own-${n}.txt`]: `${n}\n` }),
  deep: (made, n) => made.write({ [`dir/sub/deep/own-${n}.txt`]: `${n}\n` }),
  top: (made, n) => made.write({ 'a.txt': text({ 0: `top ${n % 2}` }) }),
  bottom: (made, n) => made.write({ 'a.txt': text({ 11: `bottom ${n}` }) }),
  'delete one': (made) => made.git('rm', '-q', 'dir/x.txt'),
  'delete other': (made) => made.git('rm', '-q', 'dir/y.txt'),
  'rename directory': (made) => made.git('mv', 'dir', 'moved'),
  'rename file': (made, n) => made.git('mv', 'b.txt', `b-${n % 2}.txt`),
  'edit b': (made) => made.write({ 'b.txt': text({ 5: 'b' }) }),
  'file for a directory': (made) => {
    made.git('rm', '-q', '-r', 'dir');
    made.write({ dir: 'a file now\n' });
  },
  mode: (made) => void made.git('update-index', '--chmod=+x', 'a.txt'),
};

function scene(kinds: readonly (string | readonly [string, 'on the one before'])[]) {
  const made = makeRepository({
    files: { 'a.txt': text(), 'b.txt': text(), 'dir/x.txt': text({ 1: 'x' }), 'dir/y.txt': text({ 1: 'y' }) },
  });
  const base = made.git('rev-parse', 'HEAD');
  let last = base;
  const sides = kinds.map((kind, n) => {
    const [name, stacked] = typeof kind === 'string' ? [kind, undefined] : kind;
    made.git('checkout', '-q', '-f', '--detach', stacked === undefined ? base : last);
    try {
      edits[name]?.(made, n);
    } catch {
      // What the commit before has removed cannot be removed again.
    }
    if (name !== 'mode') made.git('add', '-A');
    made.git('commit', '-q', '--allow-empty', '-m', `${name} ${n}`);
    last = made.git('rev-parse', 'HEAD');
    return parseOid(last);
  });
  made.git('checkout', '-q', '-f', 'main');
  made.commit('main goes on', { 'main.txt': 'm\n', 'dir/y.txt': text({ 1: 'y', 9: 'main' }) });
  return { made, sides, start: parseOid(made.git('rev-parse', 'HEAD')) };
}

describe('a chain of merges', () => {
  it('is a line of merge commits, complete in the repository, and leaves out what conflicts or is there already', async () => {
    const { made, sides, start } = scene(['own', 'top', 'own', 'top', 'own']);
    const { steps, trees } = await chained(made, start, [...sides, ...sides.slice(0, 1)]);
    expect(trees.map((each) => (each.length > 20 ? 'tree' : each))).toEqual([
      'tree',
      'tree',
      'tree',
      'contained',
      'tree',
      'contained',
    ]);
    const last = steps[4];
    if (last?.kind !== 'clean') throw new Error('not clean');
    made.git('update-ref', 'refs/heads/landed', last.commit);
    expect(made.git('log', '--first-parent', '--format=%s', 'main..landed').split('\n')).toEqual([
      'Merge 4',
      'Merge 2',
      'Merge 1',
      'Merge 0',
    ]);
    made.git('fsck', '--strict', '--no-dangling');
    const clash = scene(['bottom', 'bottom']);
    const { steps: clashing } = await chained(clash.made, clash.start, clash.sides);
    const conflict = clashing[1];
    if (conflict?.kind !== 'conflict') throw new Error('no conflict');
    expect(conflict.conflicts.map(({ path }) => textOf(path))).toEqual(['a.txt']);
  });

  it('asks the caller about a conflict at its place, and goes on from what it says; plain commits where they are wished', async () => {
    const { made, sides, start } = scene(['own', 'bottom', 'bottom', 'own', 'bottom']);
    const { merging, repository } = await mergingOf(made);
    const blob = await repository.writeBlob(Buffer.from(text({ 11: 'both' })));
    const asked: (readonly [number, string])[] = [];
    const steps = await merging.chain(
      start,
      sides.map((commit, index) => ({ commit, message: `Side ${index}\n` })),
      {
        author,
        linear: true,
        async resolve({ index, conflicts, publish }) {
          const before = await publish();
          asked.push([index, made.git('log', '-1', '--format=%s', before)]);
          expect(conflicts.map(({ path }) => textOf(path))).toEqual(['a.txt']);
          const entry = { mode: '100644' as const, oid: blob };
          return index === 4 ? undefined : repository.writeTree(before, [{ path: 'a.txt', entry }]);
        },
      },
    );
    expect(steps.map(({ kind }) => kind)).toEqual(['clean', 'clean', 'clean', 'clean', 'conflict']);
    expect(asked).toEqual([
      [2, 'Side 1'],
      [4, 'Side 3'],
    ]);
    const last = steps[3];
    if (last?.kind !== 'clean') throw new Error('not clean');
    made.git('update-ref', 'refs/heads/landed', last.commit);
    expect(made.git('log', '--format=%s', 'main..landed')).toBe('Side 3\nSide 2\nSide 1\nSide 0');
    expect(`${made.git('show', 'landed:a.txt')}\n`).toBe(text({ 11: 'both' }));
    made.git('fsck', '--strict', '--no-dangling');
  });

  it('leaves nothing behind for an answer nobody keeps', async () => {
    const { made, start } = scene([]);
    const before = made.git('count-objects', '-v');
    await chained(made, start, [start]);
    expect(made.git('count-objects', '-v')).toBe(before);
  });

  it('gives what merging one by one gives, whatever the branches do', async () => {
    const kind = fc.constantFrom(...Object.keys(edits));
    const side = fc.oneof(
      { weight: 3, arbitrary: kind },
      { weight: 1, arbitrary: fc.tuple(kind, fc.constant('on the one before' as const)) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(side, { minLength: 3, maxLength: 6 }), async (kinds) => {
        const { made, sides, start } = scene(kinds);
        const { trees } = await chained(made, start, sides);
        expect(trees).toEqual(await oneByOne(made, start, sides));
      }),
      { numRuns: rounds(12) },
    );
  });
});
