/** Which branches made inside appear in the repository. */
import { expect, test } from 'vitest';
import { type MirrorFacts, planMirror } from '../../src/domain/branch-mirror.ts';
import { type Oid, parseOid } from '../../src/domain/oid.ts';

const one = parseOid('1'.repeat(40));
const two = parseOid('2'.repeat(40));
const all = (names: readonly string[], oid: Oid = one) => new Map(names.map((name) => [name, oid]));

function plan(facts: Partial<MirrorFacts>) {
  const usual = { inside: all([]), known: all([]), own: 'coppice/one', prefix: 'refs/coppice/one/heads/' };
  const { gone, moved, left } = planMirror({ ...usual, ignoreCase: false, ...facts });
  return { gone, moved: moved.map(([name]) => name), left: left.map(({ branches }) => branches) };
}

test('new and moved ones come, those gone go, the environment’s own is left to HEAD', () => {
  const inside = new Map([...all(['coppice/one', 'new', 'same']), ['moved', two] as const]);
  const known = all(['gone', 'same', 'moved', 'coppice/one']);
  expect(plan({ inside, known })).toEqual({ gone: ['gone', 'coppice/one'], moved: ['moved', 'new'], left: [] });
});

test('beyond the bound what is there already stays, and the rest is left inside', () => {
  const inside = all(['a', 'b', 'c', 'z']);
  expect(plan({ inside, known: all(['z']), most: 2 })).toEqual({ gone: [], moved: ['a'], left: [['b', 'c']] });
  const other = new Map([...all(['a', 'b', 'coppice/one']), ['work', two] as const]);
  expect(plan({ inside: other, most: 1 })).toEqual({ gone: [], moved: ['work'], left: [['a', 'b']] });
  const many = Array.from({ length: 1_500 }, (_, index) => `b${index}`);
  expect(plan({ inside: all(many) })).toMatchObject({ moved: { length: 1_000 }, left: [{ length: 500 }] });
});

test('of names that cannot be beside one another the first comes: what is there, then by name', () => {
  const inside = all(['a', 'a/b', 'Side', 'side', 'x/y/z', 'X']);
  expect(plan({ inside })).toMatchObject({ moved: ['Side', 'X', 'a', 'side', 'x/y/z'], left: [['a/b']] });
  expect(plan({ inside, known: all(['a/b']) })).toMatchObject({ gone: [], left: [['a']] });
  expect(plan({ inside, ignoreCase: true })).toMatchObject({
    moved: ['Side', 'X', 'a'],
    left: [['a/b', 'side', 'x/y/z']],
  });
});

test('a name that is none here is left inside', () => {
  expect(plan({ inside: all(['ok', 'a..b', 'x.lock']) })).toMatchObject({ moved: ['ok'], left: [['a..b', 'x.lock']] });
});
