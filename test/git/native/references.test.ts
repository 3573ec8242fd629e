/** References move all or none, by compare-and-swap, whoever else is writing. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Oid, parseOid } from '../../../src/domain/oid.ts';
import { parseRefName } from '../../../src/domain/ref-name.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository, type TestRepositoryOptions } from '../../support/repository.ts';

const ref = (name: string) => parseRefName(`refs/coppice/${name}`);

async function open(options: TestRepositoryOptions = {}) {
  const made = makeRepository(options);
  const repository = await openRepository(surroundingsOf(made.path, made.env), made.path);
  const first = parseOid(made.git('rev-parse', 'HEAD'));
  const second = parseOid(made.commit('second', { second: '2\n' }));
  return { made, repository, first, second };
}

describe.each(['sha1', 'sha256'] as const)('%s', (objectFormat) => {
  test('created, moved, verified and deleted in one transaction', async () => {
    const { repository, first, second } = await open({ objectFormat });
    await repository.updateRefs([{ name: ref('a'), before: null, after: first }], 'one');
    await repository.updateRefs(
      [
        { name: ref('a'), before: first, after: null },
        { name: ref('b/c'), before: null, after: second },
        { name: parseRefName('refs/heads/main'), before: second, after: second },
        { name: ref('never'), before: null, after: null },
      ],
      'two',
    );
    expect(await repository.readRef(ref('a'))).toBeUndefined();
    expect(await repository.readRef(ref('b/c'))).toBe(second);
    expect(await repository.readRef(ref('b'))).toBeUndefined();
    expect(await repository.listRefs('refs/coppice/', 'refs/heads/main')).toEqual([
      { name: ref('b/c'), oid: second },
      { name: 'refs/heads/main', oid: second },
    ]);
    expect(await repository.listRefs('refs/coppice/nothing')).toEqual([]);
    const names = [ref('a'), ref('b/c'), ref('b'), parseRefName('refs/heads/main')];
    expect([...(await repository.readRefs(names))]).toEqual([
      [ref('b/c'), second],
      ['refs/heads/main', second],
    ]);
    await repository.updateRefs([{ name: ref('b/c'), before: second, after: first }], 'three');
    expect([...(await repository.readRefs(names))][0]).toEqual([ref('b/c'), first]);
    await repository.close();
  });
});

test('what has moved is named, and nothing else moves', async () => {
  const { repository, first, second } = await open();
  await repository.updateRefs([{ name: ref('a'), before: null, after: first }], 'x');
  const updates = [
    { name: ref('fine'), before: null, after: second },
    { name: ref('a'), before: second, after: second },
    { name: ref('gone'), before: first, after: null },
  ];
  await expect(repository.updateRefs(updates, 'x')).rejects.toMatchObject({
    kind: 'conflict',
    code: 'ref-moved',
    data: {
      refs: [
        { name: ref('a'), expected: second, found: first },
        { name: ref('gone'), expected: first, found: null },
      ],
    },
  });
  const taken = repository.updateRefs([{ name: ref('a'), before: null, after: second }], 'x');
  await expect(taken).rejects.toMatchObject({ code: 'ref-moved' });
  expect(await repository.listRefs('refs/coppice')).toEqual([{ name: ref('a'), oid: first }]);
});

test('a name that another one needs as a directory is refused', async () => {
  const { repository, made, first } = await open();
  const create = (name: string) => repository.updateRefs([{ name: ref(name), before: null, after: first }], 'x');
  await create('a/b');
  for (const name of ['a', 'a/b/c']) {
    await expect(create(name)).rejects.toMatchObject({
      kind: 'refused',
      code: 'ref-name-taken',
      data: { other: ref('a/b') },
    });
  }
  made.git('pack-refs', '--all');
  await expect(create('a')).rejects.toMatchObject({ code: 'ref-name-taken' });
  const together = ['x', 'x/y'].map((name) => ({ name: ref(name), before: null, after: first }));
  await expect(repository.updateRefs(together, 'x')).rejects.toMatchObject({ code: 'ref-name-taken' });
  // Making room in the same transaction is beyond git's files backend: it says so, and nothing changes.
  expect(await repository.listRefs('refs/coppice')).toEqual([{ name: ref('a/b'), oid: first }]);
});

test("somebody's lock is waited for, and named when it stays", async () => {
  const { repository, made, first } = await open();
  const lock = join(made.path, '.git/refs/heads/main.lock');
  const move = {
    name: parseRefName('refs/heads/main'),
    before: await repository.readRef(parseRefName('refs/heads/main')),
    after: first,
  };
  writeFileSync(lock, '');
  const update = { name: move.name, before: move.before ?? null, after: move.after };
  await expect(repository.updateRefs([update], 'x')).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'ref-locked',
    data: { files: [lock] },
  });
  rmSync(lock);
  await repository.updateRefs([update], 'x');
  expect(await repository.readRef(update.name)).toBe(first);
});

test('a commit that does not exist is no reference', async () => {
  const { repository } = await open();
  const nothing = parseOid('1'.repeat(40));
  const attempt = repository.updateRefs([{ name: ref('a'), before: null, after: nothing }], 'x');
  await expect(attempt).rejects.toMatchObject({ code: 'git-failed' });
});

test('many writers at once, in processes of their own, lose nothing', async () => {
  const { repository, made } = await open();
  const writers = Array.from({ length: 12 }, (_, index) => ref(`writer-${index}`));
  const counter = ref('counter');
  const blob = (text: string) => repository.writeBlob(Buffer.from(text));
  await repository.updateRefs([{ name: counter, before: null, after: await blob('0') }], 'start');
  /** Counts up by compare-and-swap, and leaves a mark of its own in the same transaction. */
  const countUp = async (mark: (typeof writers)[number]) => {
    for (;;) {
      const before = (await repository.readRef(counter)) as Oid;
      const count = Number(made.git('cat-file', 'blob', before));
      const after = await blob(String(count + 1));
      try {
        await repository.updateRefs(
          [
            { name: counter, before, after },
            { name: mark, before: null, after },
          ],
          'count',
        );
        return;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ref-moved' });
      }
    }
  };
  await Promise.all(writers.map(countUp));
  const refs = await repository.listRefs('refs/coppice');
  const values = refs.map(({ oid }) => made.git('cat-file', 'blob', oid));
  expect(values.toSorted((left, right) => Number(left) - Number(right))).toEqual([
    ...Array.from({ length: 12 }, (_, index) => String(index + 1)),
    '12',
  ]);
});

test('revisions of a person resolve where they stand, and are never options', async () => {
  const { repository, made, first, second } = await open();
  made.git('tag', '-a', '-m', 'annotated', 'v1', first);
  expect(await repository.resolveCommit('HEAD~1')).toBe(first);
  expect(await repository.resolveCommit('v1')).toBe(first);
  expect(await repository.resolveCommit(second.slice(0, 12))).toBe(second);
  for (const nonsense of ['--all', '', 'no-such', 'HEAD:second', 'a\0b', '-h', '--git-dir']) {
    expect(await repository.resolveCommit(nonsense)).toBeUndefined();
  }
});
