/** Agents use coppice over MCP: the real client, the built command line, a real repository and the sandbox. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { connect, lines, scene } from './support.ts';

const edit = (line: number, text: string) => ['sed', '-i', `${line}s/.*/${text}/`, 'src/a.ts'];

it('takes work from a new environment to the branch, and hears of a conflict on the way', async () => {
  const { repository, cli } = scene();
  const { client, call } = await connect(repository, cli);
  expect(client.getInstructions()).toContain('environment of its own');

  const created = await call('create', { name: 'one', title: 'The first', count: 2 });
  expect(created.document).toMatchObject({ environments: [{ name: 'one-1' }, { name: 'one-2' }] });

  const said: string[] = [];
  const progress: number[] = [];
  const ran = await call(
    'exec',
    {
      name: 'one-1',
      command: ['sh', '-c', `echo begun; ${edit(3, 'by one').join(' ').replace('by one', 'one')}; exit 3`],
    },
    {
      onprogress: (each) => {
        said.push(each.message ?? '');
        progress.push(each.progress);
      },
    },
  );
  expect(said.join('')).toContain('begun');
  expect(progress).toEqual(progress.toSorted((left, right) => left - right));
  expect(ran).toMatchObject({ failed: false, document: { schema: 'coppice.exec/1', exit: 3, stdout: 'begun\n' } });
  expect(ran.text).toContain('exit status 3');
  expect(ran.document.notes).toBeUndefined();

  const second = await call('exec', { name: 'one-2', command: edit(3, 'two') });
  expect(second.document.notes).toEqual([expect.stringContaining('now conflicts with environment one-1: src/a.ts')]);
  expect(second.text).toContain('Note: one-2 now conflicts');
  // Once to each: to the other when it is its turn, and never again.
  expect((await call('exec', { name: 'one-2', command: ['true'] })).document.notes).toBeUndefined();
  expect((await call('diff', { name: 'one-1' })).document.notes).toEqual([expect.stringContaining('one-2: src/a.ts')]);

  // The document is that of the command line.
  const { notes: _, ...status } = (await call('status', { name: 'one-1' })).document;
  const told = await cli.json(['status', 'one-1']);
  expect(status).toEqual(told);
  const { document: conflicts } = await call('conflicts');
  expect(conflicts).toEqual(await cli.json(['conflicts'], { allow: [4] }));

  expect(await call('merge', { name: 'one-1', message: 'Bring it in' })).toMatchObject({ failed: false });
  expect(readFileSync(join(repository.path, 'src/a.ts'), 'utf8')).toBe(lines({ 3: 'one' }));
  expect(repository.git('log', '-1', '--format=%s')).toBe('Bring it in');

  const refused = await call('merge', { name: 'one-2' });
  expect(refused).toMatchObject({
    failed: true,
    document: {
      schema: 'coppice.error/1',
      error: { kind: 'conflict', data: { files: [{ path: 'src/a.ts' }] } },
      notes: [expect.stringContaining('conflicts with branch main: src/a.ts')],
    },
  });
  expect(refused.text).toMatch(/^error: [\s\S]*src\/a\.ts[\s\S]*hint: /);
  await call('exec', { name: 'one-2', command: edit(3, 'one') });
  expect((await call('status', { name: 'one-2' })).document.conflicts).toMatchObject({ with: [] });
});

it('asks the person, and nobody else, for what is of this machine and for what will run on it', async () => {
  const { repository, cli } = scene();
  writeFileSync(join(repository.directory, 'secret'), 'hunter2\n');
  const nobody = await connect(repository, cli);
  const agrees = await connect(repository, cli, { person: 'agrees' });
  const mount = [`${repository.directory}/secret:/secret`];
  expect(await nobody.call('create', { name: 'a', mount })).toMatchObject({
    failed: true,
    document: { error: { code: 'person-needed', hint: expect.stringContaining('coppice create a --mount') } },
  });
  expect((await cli.json<{ environments: unknown[] }>(['list'])).environments).toEqual([]);
  expect(await agrees.call('create', { name: 'a', mount })).toMatchObject({ failed: false });
  const script = 'cat /secret; mkdir -p .github/workflows; echo "on: push" > .github/workflows/x.yml';
  const ran = await nobody.call('exec', { name: 'a', command: ['sh', '-c', script] });
  expect(ran.document.stdout).toBe('hunter2\n');

  // What is not merged goes with a yes only; and what runs on the host afterwards is merged with a yes only.
  expect((await nobody.call('remove', { name: 'a', force: true })).document.error?.code).toBe('person-needed');
  expect(await nobody.call('merge', { name: 'a' })).toMatchObject({
    document: { error: { code: 'runs-elsewhere', data: { files: [{ path: '.github/workflows/x.yml' }] } } },
  });
  expect((await nobody.call('merge', { name: 'a', refuseRuns: false })).document.error?.code).toBe('person-needed');
  expect(repository.git('log', '--format=%s')).toBe('first');
  expect(await agrees.call('merge', { name: 'a', refuseRuns: false })).toMatchObject({ failed: false });
  expect(agrees.asked).toEqual([
    expect.stringContaining(`coppice create a --mount ${mount}\n`),
    expect.stringContaining('coppice merge a\n'),
  ]);
});

it('asks as often as there is something to ask, in the newer protocol too', async () => {
  const { repository, cli } = scene();
  repository.commit('wants a mount', {
    '.coppice/environment.json': '{ "mounts": [{ "source": "/usr/share", "target": "/share" }] }',
  });
  const agrees = await connect(repository, cli, { era: 'modern', person: 'agrees' });
  expect(await agrees.call('create', { name: 'a', allowRoot: true })).toMatchObject({ failed: false });
  expect(agrees.asked).toEqual([expect.stringContaining('--allow-root'), expect.stringContaining('/usr/share')]);
  // What the file asks for was agreed to, once and for all.
  expect(await agrees.call('create', { name: 'b' })).toMatchObject({ failed: false });
  expect(agrees.asked).toHaveLength(2);
});

it('ends what runs when a call is cancelled, and goes on', async () => {
  const { repository, cli } = scene();
  const { call } = await connect(repository, cli, { era: 'modern' });
  await call('create', { name: 'a' });
  const cancel = new AbortController();
  const stubborn = 'trap "" INT; touch begun; while :; do sleep 0.1; done';
  const call1 = call(
    'exec',
    { name: 'a', command: ['sh', '-c', 'touch polite; exec sleep 600'] },
    { signal: cancel.signal },
  ).catch(String);
  const call2 = call('exec', { name: 'a', command: ['sh', '-c', stubborn] }, { signal: cancel.signal }).catch(String);
  const { worktree } = (await cli.json<{ environments: { worktree: string }[] }>(['list'])).environments[0] ?? {};
  await eventually(() => ['polite', 'begun'].every((file) => existsSync(join(worktree ?? '', file))));
  cancel.abort();
  expect(await Promise.all([call1, call2])).toEqual([
    expect.stringContaining('abort'),
    expect.stringContaining('abort'),
  ]);
  await eventually(async () => (await call('status', { name: 'a' })).document.running?.toString() === '');
});

it('answers bad input in words, and nothing of it is an option, a path or a command', async () => {
  const { repository, cli } = scene();
  const { call, client } = await connect(repository, cli);
  await call('create', { name: 'a' });
  const code = async (name: string, input: Readonly<Record<string, unknown>>) => {
    const { failed, document, text } = await call(name, input);
    expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f]/);
    return failed ? document.error?.code : document.schema;
  };
  expect(await code('exec', { name: 'a', command: 'npm test' })).toBe('bad-input');
  expect(await code('exec', { name: 'a' })).toBe('bad-input');
  expect(await code('exec', { name: 'a', command: [] })).toBe('no-command');
  expect(await code('exec', { name: 'a', command: ['true'], tty: true })).toBe('bad-input');
  expect(await code('exec', { name: 'nowhere', command: ['true'] })).toBe('environment-not-found');
  expect(await code('status', { nmae: 'a' })).toBe('bad-input');
  expect(await code('merge', { name: 'a', hunks: '/etc/passwd' })).toBe('bad-input');
  for (const name of ['--help', '../a', 'a\x1b[2J', '', '\u202ea']) {
    expect(await code('exec', { name, command: ['true'] })).toBe('bad-environment-name');
    expect(await code('remove', { name })).toBe('bad-environment-name');
  }
  const mark = join(repository.directory, 'mark');
  for (const hostile of [`--output=${mark}`, `$(touch ${mark})`]) {
    for (const [name, input] of [
      ['create', { name: 'b', from: hostile }],
      ['create', { name: 'b', target: hostile }],
      ['merge', { name: 'a', into: hostile }],
      ['merge', { name: 'a', commits: [hostile] }],
      ['sync', { names: ['a'], from: hostile }],
      ['rewind', { name: 'a', to: hostile }],
      ['blame', { name: 'a', path: hostile }],
      ['restore', { from: hostile }],
    ] as const) {
      expect((await call(name, input)).document.error?.kind, `${name} ${JSON.stringify(input)}`).toMatch(
        /usage|not-found/,
      );
    }
    // An argument of a command is just that.
    expect((await call('exec', { name: 'a', command: ['echo', hostile] })).document.stdout).toBe(`${hostile}\n`);
  }
  expect(existsSync(mark)).toBe(false);
  await expect(client.callTool({ name: 'approve', arguments: { yes: true } })).rejects.toThrow('not found');
  expect(await code('status', { name: 'a' })).toBe('coppice.status/1');
});

it('is bound to one environment', async () => {
  const { repository, cli } = scene();
  await cli.json(['create', 'e', '--count', '2']);
  await cli.run(['exec', 'e-2', '--', ...edit(3, 'two')]);
  const { call, client } = await connect(repository, cli, { era: 'modern', args: ['--environment', 'e-1'] });
  expect(client.getInstructions()).toContain('You work in the coppice environment e-1');
  const before = repository.git('for-each-ref', 'refs/heads/coppice/e-2', 'refs/coppice/e-2', 'refs/heads/main');
  const ran = await call('exec', { command: edit(3, 'one') });
  expect(ran.document).toMatchObject({ name: 'e-1', exit: 0 });
  expect(ran.document.notes).toEqual([expect.stringContaining('now conflicts with environment e-2')]);
  expect(ran.document.notes?.[0]).not.toContain('`resolve`');
  expect((await call('conflicts')).document).toMatchObject({
    about: ['e-1'],
    conflicts: [{ theirs: { name: 'e-2' } }],
  });
  expect((await call('exec', { name: 'e-2', command: ['true'] })).document.error?.code).toBe('bad-input');
  expect((await call('exec', { name: 'e-1', command: ['true'] })).failed).toBe(false);
  expect((await call('sync', { all: true })).document.error?.code).toBe('bad-input');
  expect((await call('conflicts', { names: ['e-2'] })).document.error?.code).toBe('bad-input');
  for (const name of ['create', 'merge', 'remove', 'list', 'land', 'apply', 'resolve']) {
    await expect(client.callTool({ name, arguments: { name: 'e-2' } })).rejects.toThrow('not found');
  }
  expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([
    'coppice://environments/e-1',
    'coppice://environments/e-1/conflicts',
  ]);
  await expect(client.readResource({ uri: 'coppice://environments/e-2' })).rejects.toThrow('not found');
  expect(repository.git('for-each-ref', 'refs/heads/coppice/e-2', 'refs/coppice/e-2', 'refs/heads/main')).toBe(before);

  const { status, stderr } = await cli.run(['mcp', '--environment', 'nix']);
  expect(status).toBe(3);
  expect(stderr).toContain('There is no environment named nix');
});

it('can be read, and is there in a directory that is no repository', async () => {
  const { repository, cli } = scene();
  await cli.json(['create', 'e', '--count', '2']);
  const { client } = await connect(repository, cli);
  const { resources } = await client.listResources();
  expect(resources.map(({ uri }) => uri)).toEqual([
    'coppice://environments',
    'coppice://conflicts',
    'coppice://environments/e-1',
    'coppice://environments/e-2',
    'coppice://environments/e-1/conflicts',
    'coppice://environments/e-2/conflicts',
  ]);
  for (const { uri } of resources) {
    const [content] = (await client.readResource({ uri })).contents;
    expect(JSON.parse(content && 'text' in content ? content.text : '').schema).toMatch(
      /^coppice\.(list|conflicts|status)\/1$/,
    );
  }
  await expect(client.readResource({ uri: 'coppice://environments/nix' })).rejects.toThrow('no environment named nix');
  const ref = { type: 'ref/resource' as const, uri: 'coppice://environments/{name}' };
  const { completion } = await client.complete({ ref, argument: { name: 'name', value: 'e' } });
  expect(completion.values).toEqual(['e-1', 'e-2']);

  const elsewhere = await connect(repository, cli, { cwd: repository.directory });
  const { document } = await elsewhere.call('list');
  expect(document.error).toMatchObject({ code: 'not-a-repository' });
});
