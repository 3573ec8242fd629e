/** Objects read in process are the same as native git reads them, and what isomorphic-git cannot read is read natively. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { textOf } from '../../../src/domain/byte-path.ts';
import { parseOid } from '../../../src/domain/oid.ts';
import { hostGit } from '../../../src/git/host-git.ts';
import { readObjects } from '../../../src/git/native/cat-file.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { isomorphicObjects } from '../../../src/git/objects/isomorphic.ts';
import type { ObjectType } from '../../../src/git/objects/object-reader.ts';
import { openObjects } from '../../../src/git/objects/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';

async function readers(made: TestRepository, path = made.path) {
  const surroundings = surroundingsOf(path, made.env);
  const repository = await openRepository(surroundings, path);
  const git = hostGit(repository.commonDirectory, surroundings);
  return { repository, chosen: await openObjects(git, repository), git };
}

const text = Array.from({ length: 400 }, (_, line) => createHash('sha1').update(`${line}`).digest('hex'));

function everything(): TestRepository {
  const made = makeRepository({
    files: {
      'a/b/text': text.join('\n'),
      run: { executable: '#!/bin/sh\n' },
      link: { link: 'a' },
      empty: '',
      bytes: Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7) % 256)),
      'naïve\tname': 'odd',
    },
  });
  for (let version = 0; version < 6; version++) {
    made.commit(`version ${version}\n\nwith a body — ünïcode`, {
      'a/b/text': text.with(version, 'changed').join('\n'),
    });
  }
  return made;
}

function allObjects(made: TestRepository) {
  const listed = made.git('cat-file', '--batch-all-objects', '--batch-check=%(objecttype) %(objectname)').split('\n');
  return listed.map((line) => {
    const [type = '', name = ''] = line.split(' ');
    return { type: type as ObjectType, name: parseOid(name) };
  });
}

test.each(['loose', 'packed with deltas', 'both'])('every object, %s', async (state) => {
  const made = everything();
  if (state !== 'loose') made.git('gc', '-q');
  if (state === 'packed with deltas') expect(made.git('count-objects', '-v')).toContain('count: 0');
  if (state === 'both') made.commit('loose again', { more: 'more\n' });
  const { git } = await readers(made);
  const isomorphic = isomorphicObjects(join(made.path, '.git'));
  const objects = allObjects(made);
  expect(objects.length).toBeGreaterThan(25);
  const native = await readObjects(
    git,
    objects.map(({ name }) => name),
  );
  for (const [index, { type, name }] of objects.entries()) {
    expect(await isomorphic(name, type), `${type} ${name}`).toEqual(native[index]?.content);
  }
});

test('commits and trees say the same as the repository does', async () => {
  const made = everything();
  const { chosen, repository } = await readers(made);
  const head = parseOid(made.git('rev-parse', 'HEAD'));
  const commit = await chosen.readCommit(head);
  expect(commit).toEqual(await repository.readCommit(head));
  expect(await chosen.readTree(commit.tree)).toEqual(await repository.listTree(head));
  expect((await chosen.readTree(commit.tree)).map(({ path, mode }) => `${mode} ${textOf(path)}`)).toContain(
    '120000 link',
  );
});

test('what is not there, or of another type, is said so', async () => {
  const made = everything();
  const { chosen } = await readers(made);
  const head = parseOid(made.git('rev-parse', 'HEAD'));
  const missing = { kind: 'not-found', code: 'no-such-object' };
  await expect(chosen.readBlob(head)).rejects.toMatchObject(missing);
  await expect(chosen.readTree(parseOid('1'.repeat(40)))).rejects.toMatchObject(missing);
});

test('objects that appear later, and a repack under way, are no obstacle', async () => {
  const made = everything();
  made.git('gc', '-q');
  const { chosen } = await readers(made);
  const first = parseOid(made.git('rev-parse', 'HEAD~3'));
  await chosen.readCommit(first);
  const later = parseOid(made.commit('later', { later: 'later\n' }));
  made.git('repack', '-q', '-a', '-d', '-f');
  expect((await chosen.readCommit(later)).message).toBe('later\n');
  expect((await chosen.readCommit(first)).oid).toBe(first);
});

test('SHA-256 and borrowed objects go to native git', async () => {
  const sha256 = makeRepository({ objectFormat: 'sha256' });
  const wide = await readers(sha256);
  const head = parseOid(sha256.git('rev-parse', 'HEAD'));
  expect(await wide.chosen.readCommit(head)).toEqual(await wide.repository.readCommit(head));
  const made = everything();
  const borrower = join(made.directory, 'borrower');
  made.git('clone', '-q', '--shared', made.path, borrower);
  const { chosen } = await readers(made, borrower);
  const borrowed = parseOid(made.git('rev-parse', 'HEAD'));
  expect((await chosen.readCommit(borrowed)).oid).toBe(borrowed);
});
