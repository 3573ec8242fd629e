/** The pace of one environment, on a clock that the test moves. */
import { expect, onTestFinished, test } from 'vitest';
import { watchEnvironment } from '../../src/daemon/environment-watch.ts';
import type { Happening } from '../../src/daemon/events.ts';
import { makeSlots } from '../../src/daemon/slots.ts';
import { CoppiceError } from '../../src/domain/error.ts';
import {
  type FakeEnvironment,
  fakeClock,
  fakeEnvironment,
  fakeWatchers,
  modified,
  oid,
  path,
  settle,
} from './fakes.ts';

/** Watched, with the first scan and import done and forgotten. */
async function watching(prepare: (environment: FakeEnvironment) => void = () => undefined) {
  const clock = fakeClock();
  const watchers = fakeWatchers();
  const environment = fakeEnvironment('fix');
  const events: Happening[] = [];
  prepare(environment);
  const slots = makeSlots(2, clock);
  const watch = watchEnvironment(environment, { clock, watchers, slots, emit: (event) => void events.push(event) });
  onTestFinished(() => watch.close());
  await clock.advance(0);
  const first = environment.asked.splice(0);
  const hint = (text: string) => watchers.trees.at(-1)?.onHint(text === '' ? '' : path(text));
  const types = (type: Happening['type']) => events.filter((event) => event.type === type);
  return { clock, watchers, environment, events, watch, first, hint, types };
}

test('begins with a scan and an import, and says that it watches', async () => {
  const { first, environment, events, watch } = await watching();
  expect(first).toEqual(['all reconcile']);
  expect(environment.imports).toBe(1);
  expect(events).toEqual([{ type: 'state', state: 'watched', watch: 'events', reason: null }]);
  expect(watch.status()).toMatchObject({ state: 'watching', watch: 'events', directories: 2, lastError: null });
});

test('checkpoints what was hinted after 150 ms of quiet', async () => {
  const { clock, environment, hint } = await watching();
  hint('a');
  await clock.advance(100);
  hint('b/c');
  hint('b');
  await clock.advance(149);
  expect(environment.asked).toEqual([]);
  await clock.advance(1);
  expect(environment.asked).toEqual(['a b edit']);
});

test('does not wait longer than a second while hints go on', async () => {
  const { clock, environment, hint } = await watching();
  for (let elapsed = 0; elapsed < 1_000; elapsed += 100) {
    hint(`f${elapsed}`);
    await clock.advance(99);
    expect(environment.asked).toEqual([]);
    await clock.advance(1);
  }
  expect(environment.asked).toHaveLength(1);
});

test('scans everything for the root and for more than a thousand paths', async () => {
  const { clock, environment, hint } = await watching();
  hint('');
  await clock.advance(150);
  for (let index = 0; index <= 1_000; index++) hint(`f${index}`);
  await clock.advance(150);
  expect(environment.asked).toEqual(['all edit', 'all edit']);
});

test('never runs two at once, and does afterwards what came meanwhile', async () => {
  const { clock, environment, hint } = await watching();
  let finish: () => void = () => undefined;
  environment.during = () => new Promise<void>((resolve) => (finish = resolve));
  hint('a');
  await clock.advance(150);
  hint('b');
  await clock.advance(10_000);
  expect(environment.asked).toEqual(['a edit']);
  environment.during = () => undefined;
  finish();
  await clock.advance(150);
  expect(environment.asked[1]).toMatch(/^(?:b|all) edit$/);
});

test('looks again soon, then later, at files that are still being written', async () => {
  const { clock, environment, hint } = await watching();
  environment.finds.push({ unsettled: true }, { unsettled: true }, { unsettled: true });
  hint('growing');
  await clock.advance(150);
  const at: number[] = [];
  const begin = clock.now();
  environment.during = () => void at.push(clock.now() - begin);
  await clock.advance(2_000);
  expect(at).toEqual([250, 750, 1_750]);
  expect(environment.asked.slice(0, 4)).toEqual(Array(4).fill('growing edit'));
});

test('scans every 3 s while something happens, later and later when nothing does', async () => {
  const { clock, environment } = await watching();
  const at: number[] = [];
  const begin = clock.now();
  environment.during = () => void at.push(clock.now() - begin);
  await clock.advance(3_600_000);
  expect(at.slice(0, 3)).toEqual([3_000, 6_000, 9_000]);
  const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  expect(Math.max(...gaps)).toBe(60_000);
  expect(gaps.at(-1)).toBe(60_000);
});

test('keeps scans below 2 % of a core', async () => {
  const { clock, environment } = await watching();
  environment.during = () => clock.advance(800);
  await clock.advance(3_000);
  for (let turn = 0; turn < 3; turn++) await settle();
  environment.asked.splice(0);
  await clock.advance(39_999);
  expect(environment.asked).toEqual([]);
  await clock.advance(1);
  expect(environment.asked).toEqual(['all reconcile']);
});

test('what took long to read is no reason to look less often, with events or without', async () => {
  for (const polling of [false, true]) {
    const { clock, environment, watchers } = await watching();
    if (polling) watchers.trees[0]?.onDegraded('too many directories');
    environment.finds.push({ changes: [modified('burst')], checkpoint: oid('b'), looked: 20 });
    environment.during = () => clock.advance(60_000);
    await clock.advance(3_000);
    for (let turn = 0; turn < 3; turn++) await settle();
    environment.during = () => undefined;
    environment.asked.splice(0);
    await clock.advance(3_000);
    expect(environment.asked).toEqual(['all reconcile']);
  }
});

test('a scan is never further away than a minute, however slow the machine', async () => {
  const { clock, environment } = await watching();
  environment.during = () => clock.advance(30_000);
  await clock.advance(3_000);
  for (let turn = 0; turn < 3; turn++) await settle();
  environment.asked.splice(0);
  await clock.advance(60_000);
  expect(environment.asked).toEqual(['all reconcile']);
});

test('leaves what nobody uses alone for longer, the more a look costs, until something happens or runs', async () => {
  const { clock, environment, hint } = await watching();
  const look = { looked: 100 };
  environment.during = () => void environment.finds.push(look);
  const gaps = async (time: number) => {
    const at: number[] = [];
    environment.during = () => {
      at.push(clock.now());
      environment.finds.push(look);
    };
    await clock.advance(time);
    return at.slice(1).map((each, index) => each - (at[index] ?? 0));
  };
  expect(Math.max(...(await gaps(3_600_000)))).toBe(200_000);
  Object.assign(look, { cause: 'exec make' });
  expect((await gaps(3_600_000)).slice(-3)).toEqual([60_000, 60_000, 60_000]);
  hint('a');
  expect((await gaps(20_000))[0]).toBeLessThanOrEqual(6_000);
});

test('does not scan what is stopped, and scans at once when it runs again', async () => {
  const { clock, environment, hint } = await watching();
  environment.active = false;
  await clock.advance(600_000);
  expect(environment.asked).toEqual([]);
  hint('edited-from-outside');
  await clock.advance(150);
  expect(environment.asked).toEqual(['edited-from-outside edit']);
  environment.active = true;
  await clock.advance(10_000);
  expect(environment.asked[1]).toBe('all reconcile');
});

test('makes the watch anew when a scan finds what no event announces, not when the event is late', async () => {
  const { clock, environment, watchers, hint, watch } = await watching();
  environment.finds.push({ changes: [modified('src/late')], checkpoint: oid('b') });
  await clock.advance(3_000);
  hint('src/late');
  await clock.advance(1_500);
  expect(watchers.trees).toHaveLength(1);
  environment.finds.push({}, { changes: [modified('blind')], checkpoint: oid('c') });
  await clock.advance(5_000);
  await clock.advance(1_000);
  expect(watchers.trees).toHaveLength(2);
  expect(watchers.open.size).toBe(2);
  expect(watch.status()).toMatchObject({ missed: 1, rebuilds: 1 });
});

test('does not make the watch anew again and again for what no event can announce', async () => {
  const { clock, environment, watchers } = await watching();
  const change = () => environment.finds.splice(0, 9, { changes: [modified('mapped')], checkpoint: oid('b') });
  for (let elapsed = 0; elapsed < 300_000; elapsed += 1_000) {
    change();
    await clock.advance(1_000);
  }
  expect(watchers.trees.length).toBeGreaterThan(2);
  expect(watchers.trees.length).toBeLessThan(8);
});

test('imports commits when the git directory hints, and when HEAD is another at a scan', async () => {
  const { clock, environment, watchers, types } = await watching();
  const git = watchers.gits[0];
  git?.onHint(path('index'));
  git?.onHint(path('HEAD.lock'));
  await clock.advance(1_000);
  expect(environment.imports).toBe(1);
  environment.commits.push({ oid: oid('c'), subject: 'Fix it' });
  git?.onHint(path('refs/heads/fix'));
  await clock.advance(150);
  expect(environment.imports).toBe(2);
  expect(types('commit')).toEqual([{ type: 'commit', oid: oid('c'), subject: 'Fix it' }]);
  environment.head = 'second';
  await clock.advance(3_000);
  expect(environment.imports).toBe(3);
  await clock.advance(30_000);
  expect(environment.imports).toBe(3);
});

test('checkpoints what was hinted before it imports commits, and imports them though that fails', async () => {
  const { clock, environment, watchers, hint } = await watching();
  const order: string[] = [];
  environment.during = () => void order.push('checkpoint');
  environment.importing = () => void order.push('import');
  const both = async () => {
    hint('a');
    watchers.gits[0]?.onHint(path('HEAD'));
    await clock.advance(150);
  };
  await both();
  expect(order).toEqual(['checkpoint', 'import']);
  environment.during = () => {
    throw new CoppiceError('unavailable', 'disk-full', 'The disk is full.');
  };
  await both();
  expect(environment.imports).toBe(3);
});

test('does not import from what is stopped', async () => {
  const { clock, environment, watchers } = await watching();
  environment.active = false;
  watchers.gits[0]?.onHint(path('HEAD'));
  await clock.advance(60_000);
  expect(environment.imports).toBe(1);
  environment.active = true;
  await clock.advance(10_000);
  expect(environment.imports).toBe(2);
});

test('goes on with checkpoints while an import hangs', async () => {
  const { clock, environment, watchers, hint } = await watching();
  environment.importing = () => new Promise(() => undefined);
  watchers.gits[0]?.onHint(path('HEAD'));
  await clock.advance(31_000);
  hint('a');
  await clock.advance(200);
  watchers.gits[0]?.onHint(path('HEAD'));
  await clock.advance(60_000);
  expect(environment.asked.some((asked) => asked.startsWith('a ') || asked === 'all edit')).toBe(true);
  expect(environment.imports).toBe(2);
});

test('polls when watching is impossible, says so, and tries again later', async () => {
  const { clock, environment, watchers, watch, types } = await watching();
  watchers.trees[0]?.onDegraded('too many directories');
  await clock.advance(120_000);
  expect(watch.status()).toMatchObject({ watch: 'polling', reason: 'too many directories' });
  expect(types('state').at(-1)).toMatchObject({ watch: 'polling', reason: 'too many directories' });
  expect(environment.asked.length).toBeGreaterThanOrEqual(39);
  await clock.advance(300_000);
  expect(watchers.trees).toHaveLength(2);
  expect(watch.status()).toMatchObject({ watch: 'events', reason: null });
});

test('tries again later and later after failures, loses no hint, and shows the last error until it is over', async () => {
  const { clock, environment, hint, watch, types } = await watching();
  environment.active = false;
  const at: number[] = [];
  environment.during = () => {
    at.push(clock.now());
    throw new CoppiceError('unavailable', 'disk-full', 'The disk is full.');
  };
  hint('a');
  await clock.advance(60_000);
  expect(at.slice(1).map((time, index) => time - (at[index] ?? 0))).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
  expect(watch.status()).toMatchObject({ state: 'failing', lastError: { code: 'disk-full', failures: 6 } });
  expect(types('error')).toHaveLength(6);
  environment.during = () => undefined;
  environment.asked.splice(0);
  await clock.advance(60_000);
  expect(environment.asked).toEqual(['a edit']);
  expect(watch.status()).toMatchObject({ state: 'watching', lastError: null });
});

test('tells of checkpoints, and of held paths only when they change', async () => {
  const { clock, environment, hint, types, watch } = await watching();
  const held = [{ path: path('.env'), reason: 'secret', detail: 'looks like a key' }] as const;
  environment.finds.push(
    { checkpoint: oid('b'), changes: [modified('a'), modified('b')], held },
    { held },
    { held: [] },
  );
  for (const name of ['a', 'b', 'c']) {
    hint(name);
    await clock.advance(150);
  }
  expect(types('checkpoint')).toEqual([
    {
      type: 'checkpoint',
      oid: oid('b'),
      subject: '2 files',
      cause: 'edit',
      changed: 2,
      changes: [
        { path: 'a', kind: 'modified' },
        { path: 'b', kind: 'modified' },
      ],
    },
  ]);
  expect(types('held').map((event) => (event.type === 'held' ? event.held.length : -1))).toEqual([1, 0]);
  expect(watch.status().lastCheckpoint?.oid).toBe(oid('b'));
});

test('watches anew when what is ignored changed, and never what is ignored', async () => {
  const { clock, environment, watchers, hint } = await watching();
  const ignored = watchers.trees[0]?.ignored;
  expect(['.git', 'lib/.git', 'node_modules', 'src'].map((each) => ignored?.(path(each)))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  environment.finds.push({ changes: [modified('lib/.gitignore')], checkpoint: oid('b') });
  hint('lib/.gitignore');
  await clock.advance(6_000);
  expect(watchers.trees).toHaveLength(2);
});

test('saves on flush what is still waiting, and after close does nothing', async () => {
  const { clock, environment, watchers, hint, watch } = await watching();
  hint('last');
  await watch.flush();
  expect(environment.asked).toEqual(['last edit']);
  await watch.close();
  expect(environment.closed).toBe(true);
  expect(watchers.open.size).toBe(0);
  hint('after');
  await clock.advance(600_000);
  await settle();
  expect(environment.asked).toEqual(['last edit']);
});

test('saves at once what somebody waits for: all of it, or what has been hinted', async () => {
  const { clock, environment, hint, watch } = await watching();
  const asked = { cause: 'exec make', execs: ['1'] };
  environment.finds.push({ checkpoint: oid('b'), changes: [modified('made')] });
  hint('made');
  expect(await watch.checkpoint({ ...asked, announcedOnly: false })).toMatchObject({ checkpoint: oid('b') });
  expect(environment.asked).toEqual(['all exec make']);
  expect(await watch.checkpoint({ ...asked, announcedOnly: true })).toMatchObject({ checkpoint: undefined });
  expect(environment.asked).toHaveLength(1);
  hint('src/a');
  await watch.checkpoint({ ...asked, announcedOnly: true });
  expect(environment.asked.slice(1)).toEqual(['src/a exec make']);
  await clock.advance(1_000);
  expect(environment.asked).toHaveLength(2);
});

test('looks at everything for who waits, where events are incomplete', async () => {
  const { environment, watchers, watch } = await watching();
  watchers.trees[0]?.onDegraded('too many directories');
  await watch.checkpoint({ cause: 'edit', execs: [], announcedOnly: true });
  expect(environment.asked).toEqual(['all edit']);
});

test('who waits is told what went wrong, and that nobody watches any more', async () => {
  const { environment, watch } = await watching();
  environment.during = () => {
    throw new CoppiceError('unavailable', 'disk-full', 'The disk is full.');
  };
  const asked = { cause: 'edit', execs: [], announcedOnly: false };
  await expect(watch.checkpoint(asked)).rejects.toMatchObject({ code: 'disk-full' });
  expect(watch.status()).toMatchObject({ state: 'failing', lastError: { code: 'disk-full', failures: 1 } });
  await watch.close();
  await expect(watch.checkpoint(asked)).rejects.toMatchObject({ code: 'not-watched' });
});
