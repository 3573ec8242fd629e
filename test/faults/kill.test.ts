/** The daemon, or a git that it runs, is killed at any moment: the next one goes on, and nothing is lost. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectNothingLost, expectSaved, type Ground, makeGround, startDaemon, tipOf } from './ground.ts';
import { killChildren } from './processes.ts';
import { openWriter, randomFrom } from './writer.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Whichever comes first: the moment, or the end of patience, which is a random moment as well. */
async function comes(moment: () => boolean, milliseconds: number): Promise<void> {
  const until = performance.now() + milliseconds;
  while (!moment() && performance.now() < until) await turn();
}

/** Moments in the life of a checkpoint. */
function moments(ground: Ground): readonly (() => boolean)[] {
  const packs = join(ground.common, 'objects/pack');
  const tip = tipOf(ground, 'one');
  const ref = join(ground.common, 'refs/heads/coppice/one');
  const known = new Set(readdirSync(packs));
  const appears = (what: RegExp) => readdirSync(packs).some((name) => what.test(name) && !known.has(name));
  return [
    () => false,
    () => appears(/tmp/),
    () => appears(/^pack-.*\.pack$/),
    () => appears(/^pack-.*\.idx$/),
    () => existsSync(`${ref}.lock`),
    () => existsSync(ref) && readFileSync(ref, 'latin1').trim() !== tip,
  ];
}

it.each([20261122])('the daemon itself, twenty times (seed %i)', async (seed) => {
  const random = randomFrom(seed);
  const ground = await makeGround();
  const writer = openWriter(ground.tree('one'), random);
  for (let round = 0; round < 20; round++) {
    const daemon = startDaemon(ground);
    const possible = moments(ground);
    const moment = possible[round % possible.length] ?? (() => false);
    writer.work(1 + random(60));
    await comes(moment, 300 + random(500));
    for (let pause = random(20); pause > 0; pause--) await turn();
    await daemon.kill();
    writer.work(random(10));
  }
  startDaemon(ground);
  await expectSaved(ground, 'one');
  expectNothingLost(ground, 'one');
});

it.each([4711])('its git processes, forty times (seed %i)', async (seed) => {
  const random = randomFrom(seed);
  const ground = await makeGround();
  const writer = openWriter(ground.tree('one'), random);
  const daemon = startDaemon(ground);
  const before = tipOf(ground, 'one');
  writer.work(5);
  await comes(() => tipOf(ground, 'one') !== before, 10_000);
  let killed = 0;
  for (let round = 0; round < 40; round++) {
    writer.work(1 + random(20));
    const possible = moments(ground);
    await comes(possible[round % possible.length] ?? (() => false), 100 + random(250));
    killed += killChildren(daemon, random);
  }
  expect(killed, 'git processes killed').toBeGreaterThan(10);
  await expectSaved(ground, 'one');
  expectNothingLost(ground, 'one');
  expect(daemon.child.exitCode).toBeNull();
});

it.each([99])('two daemons with a socket each watch the same environment (seed %i)', async (seed) => {
  const random = randomFrom(seed);
  const ground = await makeGround();
  const writer = openWriter(ground.tree('one'), random);
  const daemons = [startDaemon(ground, 'first'), startDaemon(ground, 'second')];
  for (let round = 0; round < 30; round++) {
    const before = tipOf(ground, 'one');
    writer.work(1 + random(20));
    await comes(() => tipOf(ground, 'one') !== before, random(600));
  }
  await expectSaved(ground, 'one');
  expectNothingLost(ground, 'one');
  expect(daemons.map(({ child }) => child.exitCode)).toEqual([null, null]);
});
