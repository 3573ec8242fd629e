/** Objects that a broken disk took: nothing is built upon them in silence, and `doctor` finds what is whole. */
import { chmodSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectSaved, type Ground, makeGround, tipOf, watch } from './ground.ts';

/** The newest pack is cut off in the middle. */
function tear(ground: Ground): void {
  const directory = join(ground.common, 'objects/pack');
  const packs = readdirSync(directory)
    .filter((name) => name.endsWith('.pack'))
    .map((name) => join(directory, name))
    .sort((left, right) => statSync(left).mtimeMs - statSync(right).mtimeMs);
  const newest = packs.at(-1) ?? '';
  chmodSync(newest, 0o644);
  truncateSync(newest, Math.floor(statSync(newest).size / 2));
}

interface Doctor {
  readonly findings: readonly { level: string; what: string; hint: string | null }[];
}

it('the newest checkpoint is torn: said so, not built upon, and put right by doctor', async () => {
  const ground = await makeGround();
  const { repository, cli } = ground;
  const watching = await watch(ground);
  await watching.ready('one');
  writeFileSync(join(ground.tree('one'), 'first.txt'), '1\n');
  await expectSaved(ground, 'one');
  const intact = tipOf(ground, 'one');
  writeFileSync(join(ground.tree('one'), 'second.txt'), '2\n'.repeat(2_000));
  await expectSaved(ground, 'one');
  const torn = tipOf(ground, 'one');
  tear(ground);
  writeFileSync(join(ground.tree('one'), 'third.txt'), '3\n');
  await eventually(
    () => watching.status('one').lastError?.code === 'tip-damaged',
    () => JSON.stringify(watching.status('one')),
  );
  expect(tipOf(ground, 'one')).toBe(torn);
  const asked = await cli.run(['checkpoint', 'one']);
  expect(asked.status).not.toBe(0);
  expect(asked.stderr).toContain('coppice doctor');

  const seen = await cli.json<Doctor>(['doctor'], { allow: [1] });
  const finding = seen.findings.find(({ what }) => what.startsWith('one:'));
  expect(finding).toMatchObject({ level: 'problem' });
  expect(`${finding?.what} ${finding?.hint}`).toContain(intact.slice(0, 7));
  await cli.json(['doctor', '--fix'], { allow: [0, 1] });
  await expectSaved(ground, 'one');
  expect(repository.git('rev-list', 'coppice/one').split('\n')).toContain(intact);
  expect(repository.git('show', 'coppice/one:third.txt')).toBe('3');
});
