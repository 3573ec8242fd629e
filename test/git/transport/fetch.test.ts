import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import type { OpenPipe } from '../../../src/git/transport.ts';
import { makeRepository } from '../../support/repository.ts';
import { makeEnvironment, setUp } from '../worktree/support.ts';
import { joined, makeTransport, objectFiles, openHere, openSandboxed, pipeOf, scratch } from './support.ts';

/** Prints one line of an advertisement of references. */
const line = 'printf "003a%040d refs/heads/x\\n" 1';

describe('fetch', () => {
  it('brings HEAD and every branch out under the same object names, and writes no reference', async () => {
    const { repository, setup, transport, agent, agentCommits, inside, at } = await joined();
    const refs = repository.git('for-each-ref');
    const first = agentCommits({ 'dir/new': 'n\n' });
    agent('branch', 'topic/x', first);
    const second = agentCommits({ a: 'changed\n' });
    const fetched = await transport.fetch(openHere, inside);
    expect(fetched).toEqual({
      head: second,
      branches: new Map([
        ['coppice/one', second],
        ['topic/x', first],
      ]),
    });
    expect(repository.git('for-each-ref')).toBe(refs);
    expect(repository.git('show', `${second}:a`)).toBe('changed');
    expect(repository.git('fsck', '--full', '--strict', second)).not.toContain('error');
    expect(scratch(setup)).toEqual([]);
    expect(readdirSync(repository.path).sort()).toEqual(['.git', 'a']);
    expect(at.tip).not.toBe(second);
  });

  it('brings commits out that no branch reaches, by name, and none where one of them is not there', async () => {
    const { transport, agent, agentCommits, inside, arrived, repository } = await joined();
    const first = agentCommits({ b: '1\n' });
    agent('reset', '-q', '--hard', 'HEAD~1');
    const second = agentCommits({ b: '2\n' });
    agent('reset', '-q', '--hard', 'HEAD~1');
    const refs = repository.git('for-each-ref');
    expect(await transport.fetchCommits(openHere, inside, [first, second])).toEqual(new Set([first, second]));
    expect(repository.git('show', `${first}:b`)).toBe('1');
    expect(repository.git('for-each-ref')).toBe(refs);
    const third = agentCommits({ b: '3\n' });
    const missing = parseOid('7'.repeat(40));
    await expect(transport.fetchCommits(openHere, inside, [third, missing])).rejects.toMatchObject({
      code: 'transport-failed',
    });
    expect(arrived(third)).toBe(false);
  });

  it('takes nothing when nothing is new, also under limits on what may be known of the repository', async () => {
    const { setup, transport, agentCommits, inside, at } = await joined();
    const commit = agentCommits({ b: 'b\n' });
    await transport.fetch(openHere, inside);
    const before = objectFiles(setup);
    // The caller has the commit on a reference, as it always does afterwards.
    setup.repository.git('update-ref', at.branch, commit);
    for (const options of [{}, { known: ['refs/heads/coppice/one'] }]) {
      expect((await transport.fetch(openHere, inside, options)).head).toBe(commit);
      expect(objectFiles(setup)).toEqual(before);
    }
  });

  it('does not tell the inside of other references when it is told which may be known', async () => {
    const { repository, transport, agentCommits, inside, at } = await joined();
    const secret = repository.commit('secret', { secret: 'x\n' });
    agentCommits({ b: 'b\n' });
    const said: Buffer[] = [];
    const listening: OpenPipe = async (command) => {
      const pipe = await openHere(command);
      const stdin = new PassThrough();
      stdin.on('data', (chunk: Buffer) => said.push(chunk));
      stdin.pipe(pipe.stdin);
      return { ...pipe, stdin };
    };
    await transport.fetch(listening, inside, { known: [at.branch] });
    expect(Buffer.concat(said).toString()).toContain(`have ${at.tip}`);
    expect(Buffer.concat(said).toString()).not.toContain(secret);
  });

  it('works while HEAD is unborn, detached, or there is nothing at all', async () => {
    const { transport, agent, agentCommits, inside, at, repository } = await joined();
    agent('checkout', '-q', '--orphan', 'fresh');
    expect(await transport.fetch(openHere, inside)).toEqual({
      head: undefined,
      branches: new Map([['coppice/one', at.tip]]),
    });
    agent('checkout', '-q', '-f', '--detach', 'coppice/one');
    const commit = agentCommits({ c: 'c\n' });
    expect((await transport.fetch(openHere, inside)).head).toBe(commit);
    const empty = join(repository.directory, 'empty');
    repository.git('init', '-q', '--bare', empty);
    expect(await transport.fetch(openHere, empty)).toEqual({ head: undefined, branches: new Map() });
  });

  it('takes a large and rebased history as it is', async () => {
    const { transport, agent, agentCommits, inside, repository } = await joined();
    for (let index = 0; index < 20; index += 1) agentCommits({ [`f${index}`]: `${'x'.repeat(index)}\n`.repeat(5_000) });
    agent('checkout', '-q', '--orphan', 'other');
    const orphan = agentCommits({ only: 'this\n' });
    expect((await transport.fetch(openHere, inside)).head).toBe(orphan);
    expect(repository.git('rev-list', '--count', orphan)).toBe('1');
  });

  it('works in SHA-256 and in shallow repositories', async () => {
    const other = await joined(setUp({ objectFormat: 'sha256' }));
    const commit = other.agentCommits({ b: 'b\n' });
    expect((await other.transport.fetch(openHere, other.inside)).head).toBe(commit);
    expect(other.arrived(commit)).toBe(true);

    const origin = makeRepository();
    for (const message of ['two', 'three', 'four']) origin.commit(message, { f: message });
    const clone = join(origin.directory, 'clone');
    origin.git('clone', '-q', '--depth=2', `file://${origin.path}`, clone);
    const existing = { ...origin, path: clone, git: (...args: readonly string[]) => origin.gitIn(clone, ...args) };
    const shallow = await joined(setUp({ existing }));
    const made = shallow.agentCommits({ b: 'b\n' });
    expect((await shallow.transport.fetch(openHere, shallow.inside)).head).toBe(made);
    // The user completes the history; the agent's stays cut.
    existing.git('fetch', '-q', '--unshallow');
    const later = shallow.agentCommits({ b: 'bb\n' });
    expect((await shallow.transport.fetch(openHere, shallow.inside)).head).toBe(later);
    expect(existing.git('rev-list', '--count', later)).toBe('6');
    expect(existing.git('rev-parse', '--is-shallow-repository')).toBe('false');
  });

  it('leaves out a branch whose history was cut off inside', async () => {
    const { transport, agent, agentCommits, inside, at, setup, arrived } = await joined();
    const foreign = makeRepository();
    foreign.commit('two', { x: 'x\n' });
    agent('fetch', '-q', '--depth=1', `file://${foreign.path}`, 'main:cut');
    const commit = agentCommits({ b: 'b\n' });
    const fetched = await transport.fetch(openHere, inside);
    expect(fetched.head).toBe(commit);
    expect([...fetched.branches.keys()]).toEqual([at.branch.replace('refs/heads/', '')]);
    agent('checkout', '-q', 'cut');
    await expect(transport.fetch(openHere, inside)).rejects.toMatchObject({ code: 'transport-failed' });
    expect(arrived(commit)).toBe(true);
    expect(setup.repository.git('rev-parse', '--is-shallow-repository')).toBe('false');
  });

  it('works for many environments at once, and through a sandbox that has nothing of the repository', async () => {
    const setup = setUp({ files: { a: 'a\n' } });
    const first = await joined(setup);
    const second = await makeEnvironment(setup, 'two');
    const commit = first.agentCommits({ b: 'b\n' });
    const transport = makeTransport(setup);
    const sandboxed = openSandboxed(first.at.directories.root, setup.store);
    const results = await Promise.all([
      ...Array.from({ length: 6 }, () => transport.fetch(sandboxed, first.inside)),
      ...Array.from({ length: 6 }, () => transport.fetch(openHere, second.directories.git)),
    ]);
    expect(results.map((fetched) => fetched.head)).toEqual([...Array(6).fill(commit), ...Array(6).fill(second.tip)]);
    expect(setup.repository.git('fsck', '--full', commit)).not.toContain('error');
    expect(scratch(setup)).toEqual([]);
  });

  it('removes what killed fetches left, but not what may be in use', async () => {
    const { setup, transport, inside } = await joined();
    const old = join(setup.common, 'coppice/quarantine-old');
    const fresh = join(setup.common, 'coppice/quarantine-fresh');
    for (const path of [old, fresh]) mkdirSync(join(path, 'objects/pack'), { recursive: true });
    writeFileSync(join(old, 'objects/pack/tmp_pack_x'), '');
    utimesSync(old, 0, 0);
    await transport.fetch(openHere, inside);
    expect(scratch(setup)).toEqual(['quarantine-fresh']);
  });

  it.each([
    ['is gone', 'exit 7', undefined, {}],
    ['says something else', 'echo OCI runtime exec failed; cat >/dev/null', undefined, {}],
    ['stops in the middle', 'printf 0032; exit 0', undefined, {}],
    ['never answers', 'exec sleep 1000', 'too-long', { silence: 500 }],
    ['drips for ever', `while ${line}; do sleep 0.1; done`, 'too-long', { total: 1_000 }],
    ['never ends', `while ${line}; do :; done`, 'too-large', { bytes: 1_000_000 }],
  ])('fails in an orderly way when the other end %s', async (_, script, stopped, limits) => {
    const { setup, inside } = await joined();
    const before = objectFiles(setup);
    const transport = makeTransport(setup, limits);
    await expect(transport.fetch(() => pipeOf(['sh', '-c', script]), inside)).rejects.toMatchObject({
      code: stopped === 'too-large' ? 'transport-too-large' : 'transport-failed',
      data: { stopped },
    });
    expect(objectFiles(setup)).toEqual(before);
    expect(scratch(setup)).toEqual([]);
  });
});

describe('push', () => {
  it('brings a commit in, many times over', async () => {
    const { repository, transport, agent, inside, at } = await joined();
    for (let index = 0; index < 10; index += 1) {
      const commit = repository.commit(`outside ${index}`, { o: `${index}\n` });
      await transport.push(openHere, inside, commit as typeof at.tip, 'refs/coppice/outside');
      expect(agent('rev-parse', 'refs/coppice/outside')).toBe(commit);
      expect(agent('show', 'refs/coppice/outside:o')).toBe(`${index}`);
    }
    expect(agent('status', '--porcelain')).toBe('');
    // Also backwards: the name stands for whatever was sent last.
    await transport.push(openHere, inside, at.tip, 'refs/coppice/outside');
    expect(agent('rev-parse', 'refs/coppice/outside')).toBe(at.tip);
  });

  it('fails where the branch is checked out, and when nobody listens', async () => {
    const { repository, transport, inside, at, agent } = await joined();
    const commit = repository.commit('outside') as typeof at.tip;
    await expect(transport.push(openHere, inside, commit, at.branch)).rejects.toMatchObject({
      code: 'transport-failed',
    });
    await expect(transport.push(() => pipeOf(['false']), inside, commit, 'refs/x/y')).rejects.toMatchObject({
      code: 'transport-failed',
    });
    expect(agent('rev-parse', 'HEAD')).toBe(at.tip);
  });
});
