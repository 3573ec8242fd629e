/**
 * What is small where it is made and has no end where it is read. An agent can send any bytes it likes as a pack: its own
 * configuration may name a program that git inside takes the pack from.
 */
import { createHash } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { gitMemory } from '../../src/git/host-git.ts';
import type { OpenPipe } from '../../src/git/transport.ts';
import { run } from '../../src/platform/process.ts';
import { joined, makeTransport, objectFiles, openHere, pipeOf, scratch } from '../git/transport/support.ts';
import { temporaryDirectory } from '../support/repository.ts';

const mebibyte = 2 ** 20;

/** Number of an object's type in a pack (gitformat-pack(5)). */
const types = { commit: 1, tree: 2, blob: 3, refDelta: 7 } as const;

function header(type: number, size: number): Buffer {
  const bytes = [];
  let rest = Math.floor(size / 16);
  bytes.push((type << 4) | (size & 15) | (rest > 0 ? 0x80 : 0));
  for (; rest > 0; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | (rest > 127 ? 0x80 : 0));
  return Buffer.from(bytes);
}

function varint(size: number): number[] {
  const bytes = [];
  for (let rest = size; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest & 127) | 0x80);
  }
}

interface Packed {
  readonly bytes: Buffer;
  readonly oid: string;
}

function object(type: 'commit' | 'tree' | 'blob', content: Buffer): Packed {
  const oid = createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
  return { oid, bytes: Buffer.concat([header(types[type], content.length), deflateSync(content)]) };
}

/** `times` times a mebibyte of the base, which must be as long: eight bytes for each. */
function unfolding(base: Packed, times: number): Packed {
  const size = times * mebibyte;
  const copies = Array.from({ length: times }, () => [0b1111_1111 & ~0b0000_1111, 0, 0, mebibyte / 65_536]).flat();
  const delta = Buffer.from([...varint(mebibyte), ...varint(size), ...copies]);
  const oid = createHash('sha1').update(`blob ${size}\0`).update(Buffer.alloc(size)).digest('hex');
  const bytes = [header(types.refDelta, delta.length), Buffer.from(base.oid, 'hex'), deflateSync(delta)];
  return { oid, bytes: Buffer.concat(bytes) };
}

function packOf(objects: readonly Packed[]): Buffer {
  const head = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  head.writeUInt32BE(objects.length, 8);
  const body = Buffer.concat([head, ...objects.map(({ bytes }) => bytes)]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

function historyOf(blob: Packed): readonly Packed[] {
  const tree = object('tree', Buffer.concat([Buffer.from('100644 bomb\0'), Buffer.from(blob.oid, 'hex')]));
  const who = 'Eve <eve@example.org> 1767323045 +0000';
  const commit = object('commit', Buffer.from(`tree ${tree.oid}\nauthor ${who}\ncommitter ${who}\n\nbomb\n`));
  return [commit, tree];
}

/** Git inside, which sends this pack whatever is asked for. */
function serving(pack: Buffer): OpenPipe {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'pack'), pack);
  writeFileSync(join(directory, 'send'), `#!/bin/sh\ncat >/dev/null\nexec cat '${join(directory, 'pack')}'\n`);
  chmodSync(join(directory, 'send'), 0o755);
  writeFileSync(join(directory, '.gitconfig'), `[uploadpack]\n\tpackObjectsHook = ${join(directory, 'send')}\n`);
  return (command) => pipeOf(['env', `HOME=${directory}`, ...command]);
}

describe('a pack that unfolds', () => {
  const base = object('blob', Buffer.alloc(mebibyte));
  const kinds = {
    'by deltas': () => {
      const bomb = unfolding(base, 32);
      return [base, bomb, ...historyOf(bomb)];
    },
    'by compression': () => {
      const bomb = object('blob', Buffer.alloc(32 * mebibyte));
      return [bomb, ...historyOf(bomb)];
    },
  };

  it.each(Object.entries(kinds))('%s is refused at the limit for one object, and leaves nothing', async (_, make) => {
    const here = await joined();
    const { setup, inside, arrived, agentCommits, agent } = here;
    agentCommits({ b: 'b\n' });
    const objects = make();
    const pack = packOf(objects);
    const commit = objects.at(-2)?.oid ?? '';
    const blob = objects.at(-3)?.oid ?? '';
    expect(pack.length).toBeLessThan(mebibyte / 8);
    // Git inside has the objects, in the same few bytes.
    const had = await run('git', ['index-pack', '--stdin'], {
      input: pack,
      cwd: inside,
      env: { PATH: process.env.PATH ?? '', GIT_DIR: inside },
    });
    expect(had).toMatchObject({ status: 0 });
    agent('update-ref', 'HEAD', commit);
    const open = serving(pack);
    const before = objectFiles(setup);
    await expect(makeTransport(setup, { objectBytes: 8 * mebibyte }).fetch(open, inside)).rejects.toMatchObject({
      kind: 'refused',
      code: 'transport-too-large',
      data: { limit: 8 * mebibyte },
    });
    expect(objectFiles(setup)).toEqual(before);
    expect(scratch(setup)).toEqual([]);
    // It bites: where more is allowed, all of it arrives.
    await makeTransport(setup, { objectBytes: 64 * mebibyte }).fetch(open, inside);
    expect(arrived(blob)).toBe(true);
  });

  it('with a header that promises four thousand million objects ends at once', async () => {
    const { agentCommits, transport, inside, setup } = await joined();
    agentCommits({ b: 'b\n' });
    const pack = packOf([]);
    pack.writeUInt32BE(0xffff_ffff, 8);
    await expect(transport.fetch(serving(pack), inside)).rejects.toMatchObject({ code: 'transport-failed' });
    expect(scratch(setup)).toEqual([]);
  });
});

describe('trees that name each other', () => {
  it('end the git that unfolds them, not the machine', async () => {
    const { repository, setup } = await joined();
    let tree = repository.git('write-tree');
    const make = (lines: readonly string[]) =>
      run('git', ['mktree', '--missing'], {
        input: `${lines.join('\n')}\n`,
        cwd: repository.path,
        env: repository.env,
      });
    // Ten thousand million files in ten trees.
    for (let level = 0; level < 10; level += 1) {
      const lines = Array.from({ length: 10 }, (_, index) => `040000 tree ${tree}\td${index}`);
      tree = (await make(lines)).stdout.toString('utf8').trim();
    }
    const empty = repository.git('hash-object', '-w', '-t', 'tree', '/dev/null');
    const unfold = ['diff-tree', '-r', empty, tree];
    const ended = await run('git', unfold, { cwd: repository.path, env: repository.env, memory: 2 ** 26 });
    expect(ended.status).not.toBe(0);
    expect(ended.stderr).toContain('out of memory');
    const said = await setup.git.text(['-c', 'alias.limits=!ulimit -d', 'limits']);
    expect(Number(said)).toBe(gitMemory / 1024);
  });

  it('a history as deep as the stack is refused or taken, and the next fetch works', async () => {
    const { transport, inside, agent, agentCommits, setup } = await joined();
    const commit = agentCommits({ b: 'b\n' });
    let tree = agent('rev-parse', 'HEAD^{tree}');
    const objects: Packed[] = [];
    for (let level = 0; level < 5_000; level += 1) {
      const made = object('tree', Buffer.concat([Buffer.from('40000 d\0'), Buffer.from(tree, 'hex')]));
      objects.push(made);
      tree = made.oid;
    }
    await run('git', ['index-pack', '--stdin'], {
      input: packOf(objects),
      cwd: inside,
      env: { PATH: process.env.PATH ?? '', GIT_DIR: inside },
    });
    agent('update-ref', 'refs/heads/deep', agent('commit-tree', '-m', 'deep', tree));
    const fetched = await transport.fetch(openHere, inside);
    expect(fetched.head).toBe(commit);
    agent('update-ref', '-d', 'refs/heads/deep');
    expect((await transport.fetch(openHere, inside)).branches.has('deep')).toBe(false);
    expect(scratch(setup)).toEqual([]);
  });
});
