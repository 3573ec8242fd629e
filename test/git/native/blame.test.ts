import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { textOf } from '../../../src/domain/byte-path.ts';
import { parseOid } from '../../../src/domain/oid.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository } from '../../support/repository.ts';

async function setUp(...args: Parameters<typeof makeRepository>) {
  const repository = makeRepository(...args);
  const opened = await openRepository(surroundingsOf(repository.path, repository.env), repository.path);
  const blame = async (path: string, ranges?: readonly { from: number; to: number }[]) => {
    const commit = parseOid(repository.git('rev-parse', 'HEAD'));
    const lines = await opened.blame({ commit, path, ...(ranges === undefined ? {} : { ranges }) });
    return lines.map(({ line, text, commit: oid, original }) => [
      line,
      text,
      oid,
      original.line,
      textOf(original.path),
    ]);
  };
  return { repository, opened, blame };
}

describe('blame', () => {
  it.each(['sha1', 'sha256'] as const)('names commit, line and file of then, with %s', async (objectFormat) => {
    const old = 'ä "quoted"\t.txt';
    const { repository, blame } = await setUp({ objectFormat, files: { [old]: '\tone\ntwo\nthree\nfour\n' } });
    const first = repository.git('rev-parse', 'HEAD');
    repository.git('mv', old, 'new.txt');
    repository.commit('moved');
    const last = repository.commit('changed', { 'new.txt': 'zero\n\tone\n2\nthree\nfour\nno end' });
    const all = [
      [1, 'zero', last, 1, 'new.txt'],
      [2, '\tone', first, 1, old],
      [3, '2', last, 3, 'new.txt'],
      [4, 'three', first, 3, old],
      [5, 'four', first, 4, old],
      [6, 'no end', last, 6, 'new.txt'],
    ];
    expect(await blame('new.txt')).toEqual(all);
    expect(
      await blame('new.txt', [
        { from: 2, to: 3 },
        { from: 6, to: 6 },
      ]),
    ).toEqual([all[1], all[2], all[5]]);
  });

  it('lets nothing of the configuration or the checkout have a say', async () => {
    const { repository, blame } = await setUp({ files: { '.gitattributes': '*.txt diff=odd\n', 'a.txt': 'one\n' } });
    const first = repository.git('rev-parse', 'HEAD');
    const second = repository.commit('second', { 'a.txt': 'one\ntwo\n' });
    writeFileSync(join(repository.path, 'ignored-revisions'), `${second}\n`);
    repository.git('config', 'blame.ignoreRevsFile', join(repository.path, 'ignored-revisions'));
    repository.git('config', 'diff.odd.textconv', 'sed s/o/0/');
    repository.git('config', 'diff.odd.command', 'false');
    repository.write({ 'a.txt': 'something else\n' });
    expect(await blame('a.txt')).toEqual([
      [1, 'one', first, 1, 'a.txt'],
      [2, 'two', second, 2, 'a.txt'],
    ]);
  });

  it('takes names as they are', async () => {
    const { repository, blame } = await setUp({ files: { ':(glob)*.txt': 'a\n', '-L': 'b\n' } });
    const first = repository.git('rev-parse', 'HEAD');
    expect(await blame(':(glob)*.txt')).toEqual([[1, 'a', first, 1, ':(glob)*.txt']]);
    expect(await blame('-L')).toEqual([[1, 'b', first, 1, '-L']]);
  });
});

describe('treeChanges and readBlobs', () => {
  it('say what differs entry by entry, and read the content', async () => {
    const { repository, opened } = await setUp({ files: { a: 'a\n', b: 'b\n', 'd/x': 'x\n' } });
    const before = parseOid(repository.git('rev-parse', 'HEAD'));
    rmSync(join(repository.path, 'd'), { recursive: true });
    rmSync(join(repository.path, 'b'));
    const after = parseOid(repository.commit('more', { b: { executable: 'b\n' }, d: { link: 'a' } }));
    const changes = await opened.treeChanges(before, after);
    expect(changes.map(({ path, before: was, after: now }) => [path, was?.mode, now?.mode])).toEqual([
      ['b', '100644', '100755'],
      ['d', undefined, '120000'],
      ['d/x', '100644', undefined],
    ]);
    const oids = changes.map(({ before: was, after: now }) => (now ?? was)?.oid ?? before);
    const contents = await opened.readBlobs([...oids, before]);
    expect(contents.map((content) => content?.toString())).toEqual(['b\n', 'a', 'x\n', undefined]);
  });
});
