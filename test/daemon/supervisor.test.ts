/** Many environments at once: none disturbs another. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/daemon/clock.ts';
import type { DaemonEvent } from '../../src/daemon/events.ts';
import { supervise } from '../../src/daemon/supervisor.ts';
import { type BytePath, bytesOf } from '../../src/domain/byte-path.ts';
import { CoppiceError } from '../../src/domain/error.ts';
import { chooseWatchers } from '../../src/watch/choose.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryDirectory } from '../support/repository.ts';
import { fakeClock, fakeEnvironment, fakeWatchers, modified, oid, path, settle } from './fakes.ts';

function supervising() {
  const clock = fakeClock();
  const watchers = fakeWatchers();
  const events: DaemonEvent[] = [];
  const supervisor = supervise({ clock, watchers, emit: (event) => void events.push(event) });
  onTestFinished(async () => {
    const closing = supervisor.close(0);
    await clock.advance(0);
    await closing;
  });
  return { clock, watchers, events, supervisor };
}

test('watches what is listed, once, and lets go of what is listed no longer', async () => {
  const { clock, watchers, events, supervisor } = supervising();
  const [one, two] = [fakeEnvironment('one'), fakeEnvironment('two')];
  await supervisor.update([one, two]);
  await supervisor.update([one, two]);
  await clock.advance(0);
  expect(watchers.trees.map(({ root }) => root)).toEqual(['/trees/one', '/trees/two']);
  await supervisor.update([two]);
  expect(one.closed).toBe(true);
  expect(supervisor.status().map(({ name }) => name)).toEqual(['two']);
  expect(events.at(-1)).toMatchObject({ type: 'state', state: 'unwatched', name: 'one', repository: 'repo' });
});

test('takes another environment of the same name for another', async () => {
  const { supervisor } = supervising();
  const [before, after] = [fakeEnvironment('same'), fakeEnvironment('same')];
  await supervisor.update([before]);
  await supervisor.update([after]);
  expect([before.closed, after.closed]).toEqual([true, false]);
});

test('goes on with the others when one fails, hangs or cannot be opened', async () => {
  const { clock, watchers, supervisor } = supervising();
  const [failing, hanging, well] = [fakeEnvironment('failing'), fakeEnvironment('hanging'), fakeEnvironment('well')];
  const broken = { ...fakeEnvironment('broken'), open: () => Promise.reject(new Error('no such thing')) };
  failing.during = () => {
    throw new CoppiceError('failed', 'broken', 'It is broken.');
  };
  hanging.during = () => new Promise(() => undefined);
  const more = Array.from({ length: 5 }, (_, index) => {
    const each = fakeEnvironment(`hanging-${index}`);
    each.during = hanging.during;
    return each;
  });
  await supervisor.update([failing, hanging, ...more, broken, well]);
  await clock.advance(120_000);
  well.asked.splice(0);
  watchers.trees.find(({ root }) => root === well.tree)?.onHint(path('a'));
  await clock.advance(150);
  expect(well.asked).toEqual(['a edit']);
  const errors = Object.fromEntries(supervisor.status().map(({ name, lastError }) => [name, lastError?.code]));
  expect(errors).toMatchObject({ failing: 'broken', broken: 'bug', well: undefined });
});

test('does not wait for ever for one that hangs when it is opened or let go of', async () => {
  const { clock, watchers, supervisor } = supervising();
  const [stuck, well] = [fakeEnvironment('stuck'), fakeEnvironment('well')];
  const opening = { ...fakeEnvironment('opening'), open: () => new Promise<never>(() => undefined) };
  const first = supervisor.update([opening, stuck]);
  await clock.advance(10_000);
  await first;
  stuck.during = () => new Promise(() => undefined);
  watchers.trees[0]?.onHint(path('a'));
  await clock.advance(150);
  const second = supervisor.update([opening, well]);
  await clock.advance(10_000);
  await second;
  await clock.advance(0);
  expect(supervisor.status().map(({ name, state }) => `${name} ${state}`)).toEqual([
    'opening starting',
    'well watching',
  ]);
});

test('opens again, later and later, what could not be opened', async () => {
  const { clock, supervisor } = supervising();
  const environment = fakeEnvironment('slow');
  let attempts = 0;
  const listed = {
    ...environment,
    open: () => (++attempts < 3 ? Promise.reject(new Error('not yet')) : environment.open()),
  };
  await supervisor.update([listed]);
  await supervisor.update([listed]);
  expect(attempts).toBe(1);
  expect(supervisor.status()[0]).toMatchObject({
    state: 'failing',
    lastError: { message: expect.stringContaining('not yet') },
  });
  for (let round = 0; round < 5; round++) {
    await clock.advance(1_000);
    await supervisor.update([listed]);
  }
  expect(attempts).toBe(3);
  await clock.advance(0);
  expect(supervisor.status()[0]).toMatchObject({ state: 'watching', lastError: null });
});

test('leaves a suspended environment alone until it is resumed, or five minutes', async () => {
  const { clock, supervisor } = supervising();
  const environment = fakeEnvironment('going');
  await supervisor.update([environment]);
  await supervisor.suspend('repo', 'going');
  expect(environment.closed).toBe(true);
  await supervisor.update([environment]);
  expect(supervisor.size).toBe(0);
  supervisor.resume('repo', 'going');
  await supervisor.update([environment]);
  expect(supervisor.size).toBe(1);
  await supervisor.suspend('repo', 'going');
  await clock.advance(300_000);
  await supervisor.update([environment]);
  expect(supervisor.size).toBe(1);
});

test('watches an environment made anew under the name of a suspended one, and one that came back', async () => {
  const { supervisor } = supervising();
  const [removed, remade] = [fakeEnvironment('same'), fakeEnvironment('same')];
  await supervisor.update([removed]);
  await supervisor.suspend('repo', 'same');
  await supervisor.update([remade]);
  expect(supervisor.size).toBe(1);
  await supervisor.suspend('repo', 'same');
  await supervisor.update([remade]);
  expect(supervisor.size).toBe(0);
  await supervisor.update([]);
  await supervisor.update([remade]);
  expect(supervisor.size).toBe(1);
});

test('suspends only once what runs has ended', async () => {
  const { clock, watchers, supervisor } = supervising();
  const environment = fakeEnvironment('busy');
  await supervisor.update([environment]);
  await clock.advance(0);
  let finish: () => void = () => undefined;
  environment.during = () => new Promise<void>((resolve) => (finish = resolve));
  watchers.trees[0]?.onHint(path('a'));
  await clock.advance(150);
  let suspended = false;
  const suspending = supervisor.suspend('repo', 'busy').then(() => (suspended = true));
  await settle();
  expect(suspended).toBe(false);
  finish();
  await suspending;
  expect(environment.closed).toBe(true);
});

test('scans only a few environments at once', async () => {
  const { clock, supervisor } = supervising();
  let [running, most] = [0, 0];
  const environments = Array.from({ length: 12 }, (_, index) => {
    const environment = fakeEnvironment(`e${index}`);
    environment.during = async () => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 9; turn++) await settle();
      running--;
    };
    return environment;
  });
  await supervisor.update(environments);
  while (environments.some(({ asked }) => asked.length === 0)) await clock.advance(0);
  expect(most).toBe(3);
});

test('saves what is waiting when it closes, but does not wait for what hangs', async () => {
  const { clock, watchers, supervisor } = supervising();
  const [one, hanging] = [fakeEnvironment('one'), fakeEnvironment('hanging')];
  await supervisor.update([one, hanging]);
  await clock.advance(0);
  hanging.during = () => new Promise(() => undefined);
  for (const tree of watchers.trees) tree.onHint(path('last'));
  let closed = false;
  const closing = supervisor.close(5_000).then(() => (closed = true));
  await settle();
  expect(one.asked.at(-1)).toBe('last edit');
  expect(closed).toBe(false);
  await clock.advance(5_000);
  await closing;
  await supervisor.update([fakeEnvironment('late')]);
  expect(supervisor.status().map(({ name }) => name)).not.toContain('late');
});

test('real watchers, real files: each edit reaches the checkpoint of its own environment only', async () => {
  const saved = new Map<string, Map<BytePath, string>>();
  const environments = Array.from({ length: 3 }, (_, index) => {
    const root = temporaryDirectory();
    const environment = fakeEnvironment(`real-${index}`);
    mkdirSync(join(root, 'tree/src'), { recursive: true });
    mkdirSync(join(root, 'git/refs/heads'), { recursive: true });
    const files = new Map<BytePath, string>();
    saved.set(environment.name, files);
    const read = (file: BytePath) => readFileSync(Buffer.concat([Buffer.from(`${root}/tree/`), bytesOf(file)]), 'utf8');
    return {
      ...environment,
      tree: join(root, 'tree'),
      gitDirectory: join(root, 'git'),
      open: async () => ({
        ...environment,
        tree: join(root, 'tree'),
        gitDirectory: join(root, 'git'),
        checkpoint: async ({ paths }: { readonly paths?: readonly BytePath[] }) => {
          // A scan of everything may be the first to see the file.
          const looked = paths ?? readdirSync(join(root, 'tree/src')).map((name) => path(`src/${name}`));
          const changed = looked.filter((each) => each.endsWith('.txt'));
          for (const each of changed) files.set(each, read(each));
          return {
            checkpoint: changed.length === 0 ? undefined : oid('d'),
            tip: oid('d'),
            held: [],
            unsettled: false,
            changes: changed.map(modified),
          };
        },
      }),
    };
  });
  const events: DaemonEvent[] = [];
  const watchers = chooseWatchers(process.platform);
  const supervisor = supervise({ clock: systemClock, watchers, emit: (event) => void events.push(event) });
  onTestFinished(() => supervisor.close(5_000));
  await supervisor.update(environments);
  await eventually(() => supervisor.status().every(({ state }) => state === 'watching'));
  for (const [index, { tree }] of environments.entries()) writeFileSync(join(tree, 'src/a.txt'), `of ${index}`);
  await eventually(() => [...saved.values()].every((files) => files.has(path('src/a.txt'))));
  expect([...saved.values()].map((files) => [...files])).toEqual(
    [0, 1, 2].map((index) => [['src/a.txt', `of ${index}`]]),
  );
  expect(supervisor.status().every(({ watch }) => watch === 'events')).toBe(true);
});
