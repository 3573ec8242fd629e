/** What is put away is put away once, however many do it at the same moment, and can be had back whatever they left. */
import { expect, it } from 'vitest';
import { findEnvironment } from '../../src/environment/find.ts';
import { listTrash, putAway } from '../../src/environment/trash.ts';
import { openWorkplace } from '../../src/open.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { libraryIn } from '../support/library.ts';
import { makeRepository } from '../support/repository.ts';

it('leaves one entry, which can be restored, where two remove the same environment', async () => {
  const repository = makeRepository();
  const { coppice, inside, create, cli } = libraryIn(repository);
  await create('one');
  await inside('one', 'echo w > w.txt; git add .; git commit -qm w');
  const workplace = await openWorkplace(surroundingsOf(repository.path, cli.env), []);
  const seen = await findEnvironment(workplace, 'one');
  await coppice.remove({ name: 'one', force: true });
  await expect(putAway(workplace, seen, [])).rejects.toMatchObject({ kind: 'not-found', code: 'environment-gone' });
  expect(await listTrash(workplace, seen.name)).toHaveLength(1);
  await workplace.close();
  await coppice.restore({ name: 'one' });
  expect(repository.git('show', 'coppice/one:w.txt')).toBe('w');
});

it('is not kept from coming back by a reference that somebody wrote while it went', async () => {
  const repository = makeRepository();
  const { coppice, inside, create } = libraryIn(repository);
  await create('one');
  await inside('one', 'echo w > w.txt; git add .; git commit -qm w');
  const head = repository.git('rev-parse', 'refs/coppice/one/head');
  await coppice.remove({ name: 'one', force: true });
  const late = repository.git('commit-tree', '-m', 'late', 'HEAD^{tree}');
  for (const part of ['head', 'modules/x/files']) repository.git('update-ref', `refs/coppice/one/${part}`, late);
  // A branch of the user's own is another matter.
  repository.git('branch', 'coppice/one');
  await expect(coppice.restore({ name: 'one' })).rejects.toMatchObject({ code: 'name-taken' });
  repository.git('branch', '-D', 'coppice/one');
  await coppice.restore({ name: 'one' });
  expect(repository.git('rev-parse', 'refs/coppice/one/head')).toBe(head);
  expect(repository.git('for-each-ref', '--contains', late, '--format=%(refname)')).toBe(
    'refs/coppice/one/modules/x/files\nrefs/coppice/one/tails/2',
  );
});
