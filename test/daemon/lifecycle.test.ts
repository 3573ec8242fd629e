/** Real daemons in processes of their own: started on demand, one at a time, replaced, killed, ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { connect, type DaemonClient } from '../../src/daemon/client.ts';
import { connectToDaemon, ensureDaemon, stopDaemon } from '../../src/daemon/lifecycle.ts';
import { logPathOf, makeLog } from '../../src/daemon/log.ts';
import { socketPathOf } from '../../src/daemon/socket.ts';
import { repositoryIdOf } from '../../src/domain/directories.ts';
import { type Surroundings, surroundingsOf } from '../../src/platform/surroundings.ts';
import { eventually } from '../support/eventually.ts';
import { hermeticEnvironment, temporaryDirectory } from '../support/repository.ts';

let program = '';
beforeAll(async () => {
  // Node 20 runs no TypeScript, so the process is bundled first.
  const built = await bundle({
    entryPoints: [join(import.meta.dirname, 'daemon-process.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  program = built.outputFiles[0]?.text ?? '';
});

interface Place {
  readonly surroundings: Surroundings;
  readonly entry: readonly string[];
  readonly env: Record<string, string>;
  /** `environment` appears below the data directory. */
  addEnvironment(name: string): string;
}

function place(extra: Record<string, string> = {}): Place {
  const home = temporaryDirectory();
  const env = { ...hermeticEnvironment(home), ...extra };
  const surroundings = surroundingsOf(home, env);
  const file = join(home, 'daemon.mjs');
  writeFileSync(file, program);
  onTestFinished(async () => {
    if (existsSync(surroundings.runtimeDirectory)) chmodSync(surroundings.runtimeDirectory, 0o700);
    await stopDaemon(surroundings);
  });
  const addEnvironment = (name: string) => {
    const root = join(surroundings.dataDirectory, name);
    mkdirSync(join(root, 'tree'), { recursive: true });
    mkdirSync(join(root, 'git'), { recursive: true });
    return root;
  };
  return { surroundings, entry: [process.execPath, file], env, addEnvironment };
}

const build = (stamp = 1) => ({ version: '1.0.0', protocol: 1, stamp });

async function ensured({ surroundings, entry }: Place, stamp = 1): Promise<DaemonClient> {
  const client = await ensureDaemon(surroundings, { entry, build: build(stamp) });
  onTestFinished(() => client.close());
  return client;
}

/** A daemon as a child of the test, so that it can be watched and killed. */
function spawned({ entry, env }: Place): { readonly child: ChildProcess; readonly said: Promise<string> } {
  const [node = '', ...args] = entry;
  const child = spawn(node, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = new Promise<string>((resolve) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('close', () => resolve(text));
  });
  return { child, said };
}

const checkpointsOf = (root: string) =>
  existsSync(join(root, 'checkpoints')) ? readFileSync(join(root, 'checkpoints'), 'utf8') : '';

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('is started on demand, found again, and ended', async () => {
  const here = place();
  expect(await connectToDaemon(here.surroundings)).toBeUndefined();
  const first = await (await ensured(here)).ping();
  const second = await (await ensured(here)).ping();
  expect(second.pid).toBe(first.pid);
  expect(statSync(here.surroundings.runtimeDirectory).mode & 0o777).toBe(0o700);
  expect(statSync(socketPathOf(here.surroundings)).mode & 0o777).toBe(0o600);
  expect(await stopDaemon(here.surroundings)).toBe(true);
  await eventually(() => !alive(first.pid));
  expect(existsSync(socketPathOf(here.surroundings))).toBe(false);
  expect(await stopDaemon(here.surroundings)).toBe(false);
  expect(readFileSync(logPathOf(here.surroundings), 'utf8')).toMatch(
    /started, pid \d+.*\n.*ending: asked to\n.*ended\n/,
  );
});

test('of many started at once exactly one stays', async () => {
  const here = place();
  const daemons = Array.from({ length: 5 }, () => spawned(here));
  await eventually(() => daemons.filter(({ child }) => child.exitCode === null).length === 1);
  const client = await ensured(here);
  const { pid } = await client.ping();
  const winner = daemons.find(({ child }) => child.pid === pid);
  expect(winner?.child.exitCode).toBeNull();
  const losers = await Promise.all(daemons.filter((each) => each !== winner).map(({ said }) => said));
  expect(losers).toEqual(Array(4).fill('already-running\n'));
  await stopDaemon(here.surroundings);
  expect(await winner?.said).toBe('ended\n');
});

test('many who need one at once get the same', async () => {
  const here = place();
  const clients = await Promise.all(Array.from({ length: 6 }, () => ensured(here)));
  const pids = await Promise.all(clients.map(async (client) => (await client.ping()).pid));
  expect(new Set(pids).size).toBe(1);
});

test('is replaced by a newer build, not by an older one', async () => {
  const here = place({ TEST_STAMP: '5' });
  const [old] = [await (await ensured(here, 5)).ping()];
  expect((await (await ensured(here, 4)).ping()).pid).toBe(old.pid);
  const env = { ...here.surroundings.env, TEST_STAMP: '9' };
  const newer = { ...here, surroundings: { ...here.surroundings, env } };
  const pong = await (await ensured(newer, 9)).ping();
  expect(pong.build.stamp).toBe(9);
  await eventually(() => !alive(old.pid));
});

test('a socket that a killed daemon left is replaced', async () => {
  const here = place();
  const { child } = spawned(here);
  await eventually(async () => (await connect(socketPathOf(here.surroundings))) !== undefined);
  child.kill('SIGKILL');
  await eventually(() => child.signalCode !== null);
  expect(existsSync(socketPathOf(here.surroundings))).toBe(true);
  expect((await (await ensured(here)).ping()).pid).not.toBe(child.pid);
});

test('watches what is there and what is added, tells subscribers, and lets go when asked', async () => {
  const here = place();
  const repository = join(here.surroundings.home, 'project/.git');
  const id = repositoryIdOf(repository);
  const root = here.addEnvironment(`${id}.one`);
  const client = await ensured(here);
  const events: string[] = [];
  const listening = await ensured(here);
  const reading = (async () => {
    for await (const event of listening.events()) events.push(`${event.type} ${event.name}`);
  })();
  await eventually(async () => (await client.status()).environments[0]?.state === 'watching');
  writeFileSync(join(root, 'tree/file'), 'x');
  await eventually(() => checkpointsOf(root).includes('edit file'));
  await eventually(() => events.includes(`checkpoint ${id}.one`));

  here.addEnvironment(`${id}.two`);
  const target = { dataDirectory: here.surroundings.dataDirectory, commonDirectory: repository };
  expect(await client.watch({ ...target, name: `${id}.two` })).toEqual({ watching: true });
  expect(await client.watch({ ...target, name: 'absent' })).toEqual({ watching: false });
  expect(await client.watch(target)).toEqual({ watching: true });
  await client.unwatch({ ...target, name: `${id}.one` });
  expect((await client.status()).environments.map(({ name }) => name)).toEqual([`${id}.two`]);
  await client.watch(target);
  expect((await client.status()).environments.map(({ name }) => name)).toEqual([`${id}.two`]);
  await stopDaemon(here.surroundings);
  await reading;
  expect(events).toContain(`state ${id}.two`);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it and leaves nothing behind', async (signal) => {
  const here = place();
  const root = here.addEnvironment('repo.one');
  const { child, said } = spawned(here);
  await eventually(() => checkpointsOf(root).includes('reconcile all'));
  const client = await ensured(here);
  await eventually(async () => (await client.status()).environments[0]?.state === 'watching');
  for (let index = 0; index < 20; index++) writeFileSync(join(root, `tree/f${index}`), 'x');
  await eventually(() => checkpointsOf(root).includes('edit'));
  child.kill(signal);
  expect(await said).toBe('ended\n');
  expect(existsSync(socketPathOf(here.surroundings))).toBe(false);
});

test('ends by itself when there has been nothing to watch for long', async () => {
  const here = place({ TEST_IDLE_EXIT: '1', TEST_RELOAD: '20' });
  const root = here.addEnvironment('repo.one');
  const { child, said } = spawned(here);
  await eventually(() => checkpointsOf(root) !== '');
  expect(child.exitCode).toBeNull();
  rmSync(root, { recursive: true });
  expect(await said).toBe('ended\n');
});

test('refuses a runtime directory that others can reach or that is not what it seems', async () => {
  const here = place();
  const { runtimeDirectory } = here.surroundings;
  const elsewhere = join(here.surroundings.home, 'elsewhere');
  mkdirSync(elsewhere, { mode: 0o700 });
  mkdirSync(join(runtimeDirectory, '..'), { recursive: true });
  symlinkSync(elsewhere, runtimeDirectory);
  await expect(ensured(here)).rejects.toMatchObject({ kind: 'refused', code: 'runtime-directory-unsafe' });
  rmSync(runtimeDirectory);
  const client = await ensured(here);
  await client.ping();
  chmodSync(runtimeDirectory, 0o755);
  await expect(connectToDaemon(here.surroundings)).rejects.toMatchObject({ code: 'runtime-directory-unsafe' });
});

test('a daemon that cannot start is reported with its log, a long socket path with a way out', async () => {
  const here = place();
  const how = { entry: [process.execPath, '-e', 'process.exit(3)'], build: build(), timeout: 200 };
  await expect(ensureDaemon(here.surroundings, how)).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'daemon-not-answering',
    data: { log: logPathOf(here.surroundings) },
  });
  const runtimeDirectory = join(here.surroundings.home, 'x'.repeat(100));
  await expect(ensureDaemon({ ...here.surroundings, runtimeDirectory }, how)).rejects.toMatchObject({
    code: 'socket-path-too-long',
  });
});

test('the log stays small', () => {
  const path = join(temporaryDirectory(), 'state/daemon.log');
  const log = makeLog(path);
  for (let index = 0; index < 30; index++) log.write('x'.repeat(100_000));
  log.close();
  expect(statSync(path).size).toBeLessThan(1.2 * 2 ** 20);
  expect(statSync(`${path}.1`).size).toBeLessThan(1.2 * 2 ** 20);
});
