/**
 * Gives the `engine` project a container engine and two images. An engine that answers is used as it is; otherwise one is
 * started with a directory and a socket of its own, and ended with everything it made. Tests fail where neither can be.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { hasCode } from '../../src/domain/error.ts';
import { run, type Started, start } from '../../src/platform/process.ts';
import { childEnvironment, type Surroundings, surroundingsOf } from '../../src/platform/surroundings.ts';
import { connect } from '../../src/runtime/docker/connection.ts';
import { dockerRuntime } from '../../src/runtime/docker/docker-runtime.ts';
import { makeEngine } from '../../src/runtime/docker/engine.ts';
import { hasImage, importImage } from '../../src/runtime/docker/images.ts';

const busyboxImage = 'localhost:5999/coppice-busybox';
const baseRepository = 'localhost:5999/coppice-base';

let own: { readonly directory: string; readonly daemon: Started } | undefined;

export async function setup(project: TestProject): Promise<void> {
  const surroundings = surroundingsOf(process.cwd(), process.env);
  const address = (await answering(surroundings)) ?? (await startOwn(surroundings));
  try {
    const withEngine = surroundingsOf(process.cwd(), { ...process.env, DOCKER_HOST: address });
    const busybox = await makeBusybox(withEngine);
    const base = await makeBase(withEngine);
    project.provide('engine', { address, busybox, base });
  } catch (error) {
    await teardown();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  if (own === undefined) return;
  const { daemon, directory } = own;
  own = undefined;
  daemon.kill('SIGTERM');
  await daemon.exit;
  await unmountBelow(directory);
  rmSync(directory, { recursive: true, force: true });
}

async function answering(surroundings: Surroundings): Promise<string | undefined> {
  try {
    const client = await connect(surroundings);
    client.close();
    return client.endpoint.address;
  } catch (error) {
    const chosen = surroundings.env.DOCKER_HOST || surroundings.env.DOCKER_CONTEXT;
    if (chosen || !hasCode(error, 'engine-unreachable')) throw error;
    return undefined;
  }
}

async function startOwn(surroundings: Surroundings): Promise<string> {
  if (surroundings.uid !== 0 || process.platform !== 'linux') {
    throw new Error('These tests need a container engine: start Docker or Podman, or run them as root on Debian.');
  }
  await install(surroundings, 'dockerd', ['docker.io', 'iptables']);
  const directory = mkdtempSync(join(tmpdir(), 'coppice-engine-'));
  const socket = join(directory, 'socket');
  const args = ['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')];
  const address = `unix://${socket}`;
  // However the tests end, the engine ends with them.
  const daemon = await start(
    'setpriv',
    ['--pdeathsig', 'TERM', 'dockerd', ...args, '-p', join(directory, 'pid'), '-H', address],
    { env: childEnvironment(surroundings) },
  );
  own = { directory, daemon };
  let log = '';
  let gone = false;
  daemon.stdout.resume();
  daemon.stderr.on('data', (chunk: Buffer) => {
    log = `${log}${chunk.toString('utf8')}`.slice(-4_000);
  });
  daemon.exit.then(() => {
    gone = true;
  });
  const deadline = Date.now() + 60_000;
  const inside = surroundingsOf(surroundings.cwd, { ...surroundings.env, DOCKER_HOST: address });
  while ((await answersQuietly(inside)) === undefined) {
    if (gone || Date.now() > deadline) {
      await teardown();
      throw new Error(`dockerd did not start. Its last words:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return address;
}

async function answersQuietly(surroundings: Surroundings): Promise<string | undefined> {
  try {
    const client = await connect(surroundings);
    client.close();
    return client.endpoint.address;
  } catch (error) {
    if (hasCode(error, 'engine-unreachable')) return undefined;
    throw error;
  }
}

/** From the distribution, unless it is there. */
async function install(surroundings: Surroundings, program: string, packages: readonly string[]): Promise<void> {
  const env = { ...childEnvironment(surroundings), DEBIAN_FRONTEND: 'noninteractive' };
  if ((await run('sh', ['-c', 'command -v "$1"', 'sh', program], { env })).status === 0) return;
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  for (const args of [['update'], install]) {
    const { status, stderr } = await run('apt-get', args, { env, timeout: 600_000 });
    if (status !== 0) throw new Error(`${program} is needed, and apt-get could not install it: ${stderr}`);
  }
}

/** A static busybox and links to it: a system of two megabytes. */
async function makeBusybox(surroundings: Surroundings): Promise<string> {
  const engine = makeEngine(surroundings);
  const directory = mkdtempSync(join(tmpdir(), 'coppice-busybox-'));
  try {
    if (await hasImage(engine, busyboxImage)) return busyboxImage;
    await install(surroundings, 'busybox', ['busybox-static']);
    const env = childEnvironment(surroundings);
    const commands = (await run('busybox', ['--list'], { env })).stdout.toString('utf8').trim().split('\n');
    for (const name of ['bin', 'etc', 'root']) mkdirSync(join(directory, name));
    mkdirSync(join(directory, 'tmp'));
    const where = (await run('sh', ['-c', 'command -v busybox'], { env })).stdout.toString('utf8').trim();
    await run('cp', ['-L', where, join(directory, 'bin/busybox')], { env });
    await run('chmod', ['1777', join(directory, 'tmp')], { env });
    for (const name of commands) if (name !== 'busybox') symlinkSync('busybox', join(directory, 'bin', name));
    const tar = await start('tar', ['--create', '--owner=0', '--group=0', '-C', directory, '.'], { env });
    const complete = tar.exit.then((status) => status === 0);
    const problem = await engine.call({ failed: 'busybox could not be imported' }, undefined, (docker) =>
      importImage(docker, tar.stdout, { repository: busyboxImage, tag: 'latest' }, [], complete),
    );
    if (problem !== undefined) throw new Error(`busybox could not be imported: ${problem}`);
    return busyboxImage;
  } finally {
    rmSync(directory, { recursive: true, force: true });
    engine.close();
  }
}

async function makeBase(surroundings: Surroundings): Promise<string> {
  const runtime = dockerRuntime(surroundings);
  try {
    const request = { repository: baseRepository, node: process.execPath, report: () => undefined };
    return await runtime.buildBaseImage(request);
  } finally {
    await runtime.close();
  }
}

/** What a killed container may have left mounted, deepest first. */
async function unmountBelow(directory: string): Promise<void> {
  const mounted = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${directory}/`))
    .sort((a, b) => b.length - a.length);
  for (const path of mounted) await run('umount', ['-l', path], { env: { PATH: process.env.PATH ?? '' } });
}
