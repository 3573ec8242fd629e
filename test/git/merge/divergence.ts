/** Two branches that diverge by one change each, in every way that git tells apart. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseOid } from '../../../src/domain/oid.ts';
import { createMerging } from '../../../src/git/merge/merging.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';

export async function mergingOf(made: TestRepository) {
  const surroundings = surroundingsOf(made.path, made.env);
  const repository = await openRepository(surroundings, made.path);
  return { repository, merging: createMerging(surroundings, repository), surroundings };
}

export type Change = (made: TestRepository) => void;

export const lines = (...extra: readonly string[]) =>
  `${['one', 'two', 'three', 'four', 'five', ...extra].join('\n')}\n`;
export const write =
  (path: string, content: string | Uint8Array): Change =>
  (made) =>
    made.write({ [path]: content });
export const remove =
  (path: string): Change =>
  (made) =>
    rmSync(join(made.path, path), { recursive: true });
export const move =
  (from: string, to: string): Change =>
  (made) => {
    mkdirSync(join(made.path, to, '..'), { recursive: true });
    made.git('mv', from, to);
  };
export const all =
  (...changes: readonly Change[]): Change =>
  (made) => {
    for (const change of changes) change(made);
  };

export const gitlink =
  (oid: string): Change =>
  (made) =>
    made.git('update-index', '--add', '--cacheinfo', `160000,${oid.repeat(40)},sub`);

/** Two branches with one change each; the change is committed as it stands in the index and the files. */
export function diverge(start: Change, ours: Change, theirs: Change) {
  const made = makeRepository();
  const commit = (message: string) => {
    made.git('add', '-A', '--', ':!sub');
    made.git('commit', '-q', '--allow-empty', '-m', message);
    return parseOid(made.git('rev-parse', 'HEAD'));
  };
  start(made);
  const base = commit('base');
  made.git('switch', '-q', '-c', 'theirs');
  theirs(made);
  const right = commit('theirs');
  made.git('switch', '-q', '-f', 'main');
  ours(made);
  const left = commit('ours');
  return { made, base, left, right };
}

/** Start, ours, theirs, and the conflicts that come of it. */
export const conflicting: Readonly<Record<string, readonly [Change, Change, Change, readonly string[]]>> = {
  content: [write('f', lines()), write('f', lines('ours')), write('f', lines('theirs')), ['content f']],
  'add/add': [() => undefined, write('new', 'ours\n'), write('new', 'theirs\n'), ['add/add new']],
  'modify/delete': [write('f', lines()), write('f', lines('more')), remove('f'), ['modify/delete f']],
  'delete/modify': [write('f', lines()), remove('f'), write('f', lines('more')), ['modify/delete f']],
  'rename/delete': [write('f', lines()), move('f', 'g'), remove('f'), ['rename/delete g']],
  'rename/rename': [
    write('f', lines()),
    move('f', 'left'),
    move('f', 'right'),
    ['rename/rename f', 'rename/rename left', 'rename/rename right'],
  ],
  'file/directory': [() => undefined, write('x', 'a file\n'), write('x/inner', 'a directory\n'), ['file/directory x~']],
  binary: [
    write('b', Buffer.from([0, 1, 2])),
    write('b', Buffer.from([0, 1, 3])),
    write('b', Buffer.from([0, 1, 4])),
    ['binary b'],
  ],
  'a new file in a directory renamed elsewhere': [
    all(write('old/a', lines('a')), write('old/b', lines('b'))),
    all(move('old/a', 'new/a'), move('old/b', 'new/b')),
    write('old/c', 'c\n'),
    ['directory rename new/c'],
  ],
  submodule: [gitlink('1'), gitlink('2'), gitlink('3'), ['submodule sub']],
};

export const clean: Readonly<Record<string, readonly [Change, Change, Change]>> = {
  'other files': [write('f', lines()), write('a', 'a\n'), write('b', 'b\n')],
  'other lines of one file': [
    write('f', lines()),
    write('f', lines().replace('one', 'ONE')),
    write('f', lines().replace('five', 'FIVE')),
  ],
  'a rename and an edit': [write('f', lines()), move('f', 'moved/g'), write('f', lines('more'))],
  'attributes that merge by union': [
    all(write('.gitattributes', 'CHANGES merge=union\n'), write('CHANGES', 'start\n')),
    write('CHANGES', 'start\nours\n'),
    write('CHANGES', 'start\ntheirs\n'),
  ],
};
