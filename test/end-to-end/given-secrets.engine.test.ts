/** Secrets and mounts in a real container: the engine itself never gets a value. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { connect } from '../../src/runtime/docker/connection.ts';
import { engineSurroundings } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { type Ground, sceneOn } from './main-path.ts';
import { commandLines, findTraces } from './traces.ts';

const env = () => ({ DOCKER_HOST: inject('engine').address });

const docker: Ground = {
  name: 'the Docker engine',
  create: ['--runtime', 'docker', '--image', inject('engine').busybox],
  env,
  isolated: true,
  cleanUp: async () => undefined,
};

function engine(...args: readonly string[]): string {
  return execFileSync('docker', args, { env: { ...process.env, ...env() }, encoding: 'latin1', maxBuffer: 2 ** 28 });
}

const value = 'T0p/Secret+Value "1"';
const secrets = { MY_TOKEN: value };

it('is in the command’s environment, and in nothing that the engine keeps, shows or logs; mounts are as they were asked for', async () => {
  const { repository, cli, create } = sceneOn(docker);
  const data = join(repository.directory, 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'which'), 'of the host\n');
  writeFileSync(join(repository.home, 'key'), `${value}\n`);
  const secretOptions = ['--secret', 'TOKEN=env:MY_TOKEN', '--secret-file', 'KEY=file:~/key'];
  const { worktree } = await create(
    'one',
    ...secretOptions,
    '--mount',
    `${data}:/data`,
    '--mount',
    `${data}:/writable:rw`,
  );
  const container = engine('ps', '-q', '--filter', `volume=${worktree}`).trim();
  const script = [
    'cat /data/which',
    'touch /data/x',
    'echo written > /writable/new',
    'printf %s "$TOKEN" | sha256sum',
    'sha256sum < "$KEY"',
    'cat /proc/1/environ',
    'ps -o args',
    'echo "$TOKEN" > leak',
    'echo go',
    'read line',
  ].join('; ');
  const child = cli.start(['exec', 'one', '--show-secrets', '--', 'sh', '-c', script], { env: secrets });
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1');
  });
  await eventually(
    () => said.includes('\ngo\n'),
    () => said,
    120_000,
  );
  const digest = (input: string) => execFileSync('sha256sum', { input }).toString();
  expect(said.startsWith(`of the host\n${digest(value)}${digest(`${value}\n`)}`)).toBe(true);
  expect(said).not.toContain(value);
  expect(readdirSync(data).sort()).toEqual(['new', 'which']);
  const [inspected] = JSON.parse(engine('inspect', container));
  const execs: readonly string[] = inspected.ExecIDs;
  expect(execs.length).toBeGreaterThan(0);
  const client = await connect(engineSurroundings());
  const kept = [
    engine('inspect', container),
    ...(await Promise.all(execs.map(async (id) => JSON.stringify(await client.get(`/exec/${id}/json`))))),
    engine('top', container),
    engine('logs', container),
    engine('diff', container),
    engine('image', 'inspect', inspected.Image),
    engine('export', container),
    commandLines(),
  ];
  client.close();
  for (const text of kept) expect(text.includes(value)).toBe(false);
  const leak = (path: string) => path.endsWith('/tree/leak') || path.endsWith('/home/key');
  expect(findTraces(repository, value, leak)).toEqual([]);
  child.stdin?.end('\n');
  await new Promise((resolve) => child.once('exit', resolve));
  const after = await cli.run([
    'exec',
    'one',
    '--without-secrets',
    '--',
    'sh',
    '-c',
    'ls -A /dev/shm; env | grep -c TOKEN',
  ]);
  expect(after.stdout).toBe('0\n');
  expect(findTraces(repository, value, leak)).toEqual([]);
  expect(repository.git('ls-tree', '--name-only', 'coppice/one')).toBe('README.md');
});
