/** Who subscribes hears of a conflict when it forms, from the daemon; and without one, from the next call that finds it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { connect, lines, scene } from './support.ts';

const conflictsOfFirst = 'coppice://environments/e-1/conflicts';

async function two(daemon: 'off' | 'auto') {
  const { repository, cli } = scene({ daemon });
  await cli.json(['create', 'e', '--count', '2']);
  const { environments } = await cli.json<{ environments: { worktree: string }[] }>(['list']);
  const write = (index: number, text: string) =>
    writeFileSync(join(environments[index]?.worktree ?? '', 'src/a.ts'), text);
  return { repository, cli, write };
}

it('hears of conflicts that form and go away through checkpoints', async () => {
  const { repository, cli, write } = await two('auto');
  const connected = await connect(repository, cli, { era: 'modern' });
  await connected.client.listen({ resourceSubscriptions: [conflictsOfFirst] });
  write(0, lines({ 3: 'one' }));
  await eventually(async () => repository.git('log', '-1', '--format=%s', 'coppice/e-1').includes('src/a.ts'));
  expect(connected.updated).toEqual([]);
  write(1, lines({ 3: 'two' }));
  await eventually(() => connected.updated.length === 1);
  const [content] = (await connected.client.readResource({ uri: conflictsOfFirst })).contents;
  expect(JSON.parse(content && 'text' in content ? content.text : '')).toMatchObject({
    conflicts: [{ files: [{ path: 'src/a.ts' }] }],
  });
  // And with the next answer, to those who read answers only.
  const { document } = await connected.call('log', { name: 'e-1' });
  expect(document.notes).toEqual([expect.stringContaining('now conflicts with environment e-2: src/a.ts')]);
  write(1, lines({ 9: 'two' }));
  await eventually(() => connected.updated.length >= 2);
  await eventually(async () =>
    (await connected.call('log', { name: 'e-1' })).text.includes('merges cleanly with environment e-2'),
  );
  expect(new Set(connected.updated)).toEqual(new Set([conflictsOfFirst]));

  // What is held is told too, whoever wrote it.
  writeFileSync(
    join((await cli.json<{ worktree: string }>(['show', 'e-1'])).worktree, 'big'),
    Buffer.alloc(11 * 2 ** 20),
  );
  await eventually(async () => (await connected.call('log', { name: 'e-1' })).text.includes('big is held in e-1'));
});

it('hears of them later without a daemon', async () => {
  const { repository, cli, write } = await two('off');
  const connected = await connect(repository, cli);
  await connected.client.subscribeResource({ uri: conflictsOfFirst });
  write(0, lines({ 3: 'one' }));
  write(1, lines({ 3: 'two' }));
  await connected.call('checkpoint', { name: 'e-1' });
  expect(connected.updated).toEqual([]);
  const { document } = await connected.call('checkpoint', { name: 'e-2' });
  expect(document.notes).toEqual([expect.stringContaining('now conflicts with environment e-1: src/a.ts')]);
  await eventually(() => connected.updated.length > 0);
  expect(connected.updated).toEqual([conflictsOfFirst]);
  await connected.client.unsubscribeResource({ uri: conflictsOfFirst });
  write(1, lines());
  await connected.call('checkpoint', { name: 'e-2' });
  expect(connected.updated).toEqual([conflictsOfFirst]);
});
