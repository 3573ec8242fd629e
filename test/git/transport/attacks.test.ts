import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import { readHeadHint } from '../../../src/git/agent-head.ts';
import { makeRepository } from '../../support/repository.ts';
import { agentGit } from '../worktree/support.ts';
import { joined, makeTransport, objectFiles, openHere, openSandboxed, scratch } from './support.ts';

describe('what an agent can do to its git directory', () => {
  it('executes nothing on the host', async () => {
    const here = await joined();
    const { repository, setup, at, inside, transport } = here;
    // Where it ran: the sandbox's own /tmp is another one, so a file here was written by the host.
    const proof = join(repository.directory, 'proof');
    const payload = `touch ${proof}`;
    const commit = here.agentCommits({ '.gitattributes': '* filter=evil diff=evil merge=evil\n', b: 'b\n' });
    for (const hook of [
      'post-index-change',
      'reference-transaction',
      'pre-receive',
      'update',
      'post-receive',
      'post-update',
      'post-checkout',
      'proc-receive',
      'fsmonitor-watchman',
    ]) {
      mkdirSync(join(inside, 'hooks'), { recursive: true });
      writeFileSync(join(inside, 'hooks', hook), `#!/bin/sh\n${payload}\n`);
      chmodSync(join(inside, 'hooks', hook), 0o755);
    }
    const settings = [
      'core.fsmonitor',
      'core.sshCommand',
      'core.pager',
      'core.editor',
      'diff.external',
      'filter.evil.clean',
      'filter.evil.smudge',
      'filter.evil.process',
      'diff.evil.textconv',
      'merge.evil.driver',
      'gpg.program',
      'credential.helper',
      'uploadpack.packObjectsHook',
      'core.alternateRefsCommand',
      'alias.upload-pack',
      'receive.procReceiveRefs',
    ];
    for (const key of settings)
      agentGit(setup, at, 'config', key, key === 'receive.procReceiveRefs' ? 'refs' : payload);
    writeFileSync(join(inside, 'info/attributes'), '* filter=evil merge=evil\n');
    writeFileSync(join(at.directories.tree, 'b'), 'touched\n');
    // It is loaded: the agent's own git sets it off.
    expect(() => agentGit(setup, at, 'status')).toThrow();
    expect(existsSync(proof)).toBe(true);
    rmSync(proof);
    const open = openSandboxed(at.directories.root, setup.store);
    const outside = repository.commit('outside', { o: 'o\n' });
    expect((await transport.fetch(open, inside)).head).toBe(commit);
    await transport.push(open, inside, parseOid(outside), 'refs/coppice/outside').catch((error) => {
      // The agent's own hook may refuse; that is its business.
      expect(error).toMatchObject({ code: 'transport-failed' });
    });
    await setup.worktrees.refreshIndex(at.name, commit);
    await readHeadHint(inside);
    await setup.worktrees.remove(at.name, at.directories);
    expect(existsSync(proof)).toBe(false);
  });

  it('cannot reach another repository through alternates', async () => {
    const { at, setup, inside, transport, arrived, agentCommits } = await joined();
    const other = makeRepository();
    const secret = other.commit('secret', { secret: 'top secret\n' });
    const commit = agentCommits({ b: 'b\n' });
    const alternates = join(inside, 'objects/info/alternates');
    writeFileSync(alternates, `${readFileSync(alternates, 'utf8')}${other.path}/.git/objects\n`);
    writeFileSync(join(inside, 'refs/heads/stolen'), `${secret}\n`);
    const fetched = await transport.fetch(openSandboxed(at.directories.root, setup.store), inside);
    expect(fetched).toMatchObject({ head: commit, leftOut: { code: 'transport-failed' } });
    expect(arrived(secret)).toBe(false);
    // That is the sandbox's doing: with the server beside us it would have been taken along.
    await transport.fetch(openHere, inside);
    expect(arrived(secret)).toBe(true);
  });

  it('cannot bring a tree with .git/config out', async () => {
    const { at, setup, inside, transport, agent, arrived } = await joined();
    const before = objectFiles(setup);
    const blob = execFileSync('git', ['hash-object', '-w', '--stdin'], { cwd: at.directories.tree, input: '[core]\n' })
      .toString()
      .trim();
    const config = execFileSync('git', ['mktree'], { cwd: at.directories.tree, input: `100644 blob ${blob}\tconfig\n` })
      .toString()
      .trim();
    const raw = Buffer.concat([Buffer.from('40000 .git\0'), Buffer.from(config, 'hex')]);
    const tree = execFileSync('git', ['hash-object', '-w', '-t', 'tree', '--literally', '--stdin'], {
      cwd: at.directories.tree,
      input: raw,
    })
      .toString()
      .trim();
    agent('update-ref', 'refs/heads/evil', agent('commit-tree', '-m', 'evil', tree));
    const { head, branches, leftOut } = await transport.fetch(openHere, inside);
    expect([head, branches.size, leftOut?.code]).toEqual([at.tip, 0, 'hostile-objects']);
    agent('symbolic-ref', 'HEAD', 'refs/heads/evil');
    await expect(transport.fetch(openHere, inside)).rejects.toMatchObject({
      kind: 'refused',
      code: 'hostile-objects',
      data: { check: 'hasDotgit', object: tree },
    });
    expect(arrived(tree)).toBe(false);
    expect(objectFiles(setup)).toEqual(before);
    expect(scratch(setup)).toEqual([]);
  });

  it('cannot do harm with names', async () => {
    const { inside, transport, agentCommits, agent } = await joined();
    const commit = agentCommits({ b: 'b\n' });
    agent('update-ref', 'refs/heads/--upload-pack=touch', commit);
    agent('update-ref', 'refs/heads/-x', commit);
    for (const bad of ['a..b', 'x.lock', 'sp ace', 'new\nline', '@{1}'])
      writeFileSync(join(inside, 'refs/heads', bad), `${commit}\n`);
    const { branches } = await transport.fetch(openHere, inside);
    expect([...branches.keys()].sort()).toEqual(['--upload-pack=touch', '-x', 'coppice/one']);
  });

  it('cannot fill the disk', async () => {
    const { setup, inside, agentCommits, arrived } = await joined();
    const noise = randomBytes(1_500_000).toString('hex');
    const commit = agentCommits({ big: noise });
    const before = objectFiles(setup);
    await expect(makeTransport(setup, { bytes: 1_000_000 }).fetch(openHere, inside)).rejects.toMatchObject({
      kind: 'refused',
      code: 'transport-too-large',
      data: { limit: 1_000_000 },
    });
    expect(arrived(commit)).toBe(false);
    expect(objectFiles(setup)).toEqual(before);
    expect(scratch(setup)).toEqual([]);
  });

  it('cannot make the host wait for ever', async () => {
    const { at, setup, inside, agentCommits, agent } = await joined();
    const commit = agentCommits({ b: 'b\n' });
    rmSync(join(inside, 'HEAD'));
    execFileSync('mkfifo', [join(inside, 'HEAD')]);
    const open = openSandboxed(at.directories.root, setup.store);
    await expect(makeTransport(setup, { silence: 500 }).fetch(open, inside)).rejects.toMatchObject({
      code: 'transport-failed',
      data: { stopped: 'too-long' },
    });
    expect(await readHeadHint(inside)).toBeUndefined();
    expect(scratch(setup)).toEqual([]);
    rmSync(join(inside, 'HEAD'));
    writeFileSync(join(inside, 'HEAD'), `${commit}\n`);
    expect(agent('rev-parse', 'HEAD')).toBe(commit);
    expect(await readHeadHint(inside)).toBeDefined();
  });

  it('cannot pass off an incomplete history', async () => {
    const { inside, transport, agentCommits, agent, arrived } = await joined();
    const commit = agentCommits({ b: 'b\n' });
    const blob = agent('rev-parse', 'HEAD:b');
    const path = join(inside, 'objects', blob.slice(0, 2), blob.slice(2));
    chmodSync(path, 0o644);
    writeFileSync(path, 'not an object');
    await expect(transport.fetch(openHere, inside)).rejects.toMatchObject({ code: 'transport-failed' });
    expect(arrived(commit)).toBe(false);
  });
});
