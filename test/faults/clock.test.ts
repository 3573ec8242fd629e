/** Clocks that go backwards or astray, and files whose times lie. */
import { lutimesSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { expectNothingLost, expectSaved, makeGround, watch } from './ground.ts';
import { openWriter, randomFrom } from './writer.ts';

it.each([10])('the clock of the process jumps back, before 1970 and ahead (seed %i)', async (seed) => {
  const ground = await makeGround();
  // Only what the process takes for the time of day; timers go on.
  vi.useFakeTimers({ toFake: ['Date'], shouldAdvanceTime: false });
  onTestFinished(() => void vi.useRealTimers());
  const watching = await watch(ground);
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), randomFrom(seed));
  for (const time of ['2026-06-01', '2001-02-03', '1969-12-31T12:00:00Z', '2099-12-31', '2026-06-02']) {
    vi.setSystemTime(new Date(time));
    writer.work(30);
    await expectSaved(ground, 'one');
  }
  expect(watching.status('one').lastError).toBeNull();
  expectNothingLost(ground, 'one');
});

it('files say that they are from the past or the future, and that they have not changed', async () => {
  const ground = await makeGround();
  const at = (name: string) => join(ground.tree('one'), name);
  const watching = await watch(ground);
  await watching.ready('one');
  // The last one is in the past: files from the future are read again at every look.
  const times = [0, 1, Date.now() / 1000 + 86_400, 4_000_000_000, 1_000_000_000];
  for (const [round, time] of times.entries()) {
    for (const name of ['a.txt', 'b.txt', `c${round}.txt`]) {
      writeFileSync(at(name), `${round}\n`);
      utimesSync(at(name), time, time);
    }
    await expectSaved(ground, 'one');
  }
  // The same size, the same time of modification, other content.
  const { atime, mtime } = statSync(at('a.txt'));
  for (let round = 0; round < 5; round++) {
    writeFileSync(at('a.txt'), `${9 - round}\n`);
    lutimesSync(at('a.txt'), atime, mtime);
    await expectSaved(ground, 'one');
  }
  expectNothingLost(ground, 'one');
});
