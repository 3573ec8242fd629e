/** What is remembered of merges survives other processes and cut-off writes, and is forgotten when the rules of merging change. */
import { appendFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Oid } from '../../../src/domain/oid.ts';
import type { Verdict } from '../../../src/environment/conflicts/pair.ts';
import { openVerdictCache } from '../../../src/environment/conflicts/verdict-cache.ts';
import { temporaryDirectory } from '../../support/repository.ts';

const oid = (number: number) => number.toString(16).padStart(40, '0') as Oid;
const pair = (number: number) => ({ ours: oid(number), theirs: oid(number + 1) });
const conflict = (path: string): Verdict => ({ kind: 'conflict', files: [{ path, kind: 'content', regions: [] }] });

test('two processes add, and a third finds what both found; a line cut off spoils only itself', async () => {
  const common = temporaryDirectory();
  const [one, other] = [await openVerdictCache(common), await openVerdictCache(common)];
  await one.add([{ pair: pair(1), verdict: { kind: 'clean' } }]);
  const [file = ''] = readdirSync(join(common, 'coppice/conflicts'));
  appendFileSync(join(common, 'coppice/conflicts', file), `${oid(5)} ${oid(6)} - {"kind":"cle`);
  await other.add([{ pair: pair(2), verdict: conflict('a {b}\nc') }]);
  const third = await openVerdictCache(common);
  expect(third.get(pair(1))).toEqual({ kind: 'clean' });
  expect(third.get(pair(2))).toEqual(conflict('a {b}\nc'));
  expect(third.get(pair(5))).toBeUndefined();
  expect(third.get({ ...pair(1), base: oid(9) })).toBeUndefined();
});

test('other rules for merging, other verdicts; other settings change nothing', async () => {
  const common = temporaryDirectory();
  const known = async () => (await openVerdictCache(common)).get(pair(1));
  await (await openVerdictCache(common)).add([{ pair: pair(1), verdict: { kind: 'clean' } }]);
  appendFileSync(join(common, 'config'), '[user]\n\tname = Somebody\n');
  expect(await known()).toEqual({ kind: 'clean' });
  appendFileSync(join(common, 'config'), '[merge]\n\trenames = false\n');
  expect(await known()).toBeUndefined();
  rmSync(join(common, 'config'));
  expect(await known()).toEqual({ kind: 'clean' });
});

test('it stays small, and keeps what is newest', async () => {
  const common = temporaryDirectory();
  const cache = await openVerdictCache(common);
  const long = 'x'.repeat(100_000);
  for (let number = 0; number < 200; number++) {
    await cache.add([{ pair: pair(number), verdict: conflict(`${number} ${long}`) }]);
  }
  const folder = join(common, 'coppice/conflicts');
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  expect(sizes).toHaveLength(1);
  expect(sizes[0]).toBeLessThan(9 * 2 ** 20);
  const again = await openVerdictCache(common);
  expect(again.get(pair(199))).toEqual(conflict(`199 ${long}`));
  expect(again.get(pair(0))).toBeUndefined();
});
