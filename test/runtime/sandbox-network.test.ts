/** What a sandbox with an allowlist may reach, with servers of our own on the host. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Network } from '../../src/domain/network.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { openSandboxRuntime } from '../../src/runtime/sandbox/sandbox.ts';
import { requireBubblewrap } from '../support/bubblewrap.ts';
import { eventually } from '../support/eventually.ts';
import { hermeticEnvironment, temporaryDirectory } from '../support/repository.ts';

requireBubblewrap();

async function standing(network: Network, variant: 'bubblewrap' | 'plain' = 'bubblewrap') {
  const directory = temporaryDirectory();
  const [tree, home] = [join(directory, 'tree'), join(directory, 'home')];
  for (const each of [tree, home]) mkdirSync(each);
  const surroundings = surroundingsOf('/', hermeticEnvironment(home));
  // A path longer than that of a socket may be.
  const stateDirectory = join(surroundings.dataDirectory, 'x'.repeat(80), '.sandboxes');
  const gateway = resolve(import.meta.dirname, '../../dist/gateway/main.cjs');
  const runtime = await openSandboxRuntime({ stateDirectory, surroundings, variant, gateway });
  const { uid, gid, userName } = surroundings;
  const { id } = await runtime.create({
    name: 'box',
    image: null,
    labels: {},
    hostname: 'box',
    mounts: [{ source: tree, target: variant === 'plain' ? tree : '/workspace', readOnly: false }],
    workdir: variant === 'plain' ? tree : '/workspace',
    user: { uid, gid, name: userName, home: `/home/${userName}` },
    environment: {},
    limits: {},
    network,
    root: false,
  });
  onTestFinished(() => runtime.remove(id));
  await runtime.start(id);
  const shell = async (script: string) => {
    const execution = await runtime.exec(id, { command: ['sh', '-c', script] });
    const [stdout, stderr, end] = await Promise.all([text(execution.stdout), text(execution.stderr), execution.end]);
    return { stdout, stderr, status: end.status };
  };
  return { runtime, id, shell, stateDirectory };
}

/** An HTTP and a UDP service of the host. */
async function hostServices() {
  const server = createServer((request, response) => {
    response.end(`host ${request.url}\n`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const datagrams = createSocket('udp4');
  datagrams.on('message', (_, from) => datagrams.send('host', from.port, from.address));
  datagrams.bind(0, '127.0.0.1');
  await once(datagrams, 'listening');
  onTestFinished(() => {
    server.close();
    datagrams.close();
  });
  return { http: (server.address() as AddressInfo).port, udp: datagrams.address().port };
}

const datagram = (port: number) =>
  `node -e '
    const socket = require("node:dgram").createSocket("udp4");
    socket.on("error", () => process.exit(1)).on("message", (said) => { console.log(String(said)); process.exit(); });
    socket.connect(${port}, "127.0.0.1", () => socket.send("x", (error) => error && process.exit(1)));
    setTimeout(() => process.exit(2), Number(process.argv[1]));'`;

const aside = '--noproxy "*"';
const withoutExceptions = 'unset no_proxy NO_PROXY';

/** Processes of the host that name this directory. */
function processesOf(stateDirectory: string): number {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(stateDirectory)).length;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (error) {
    if (error instanceof Error) return '';
    throw error;
  }
}

describe('a sandbox with an allowlist', () => {
  test('has no network but the way to the proxy, where an open one reaches the host', async () => {
    const { http, udp } = await hostServices();
    const ways = [`curl -sS ${aside} http://127.0.0.1:${http}/`, `${datagram(udp)} 60000`];
    const open = await standing('open');
    for (const way of ways) expect((await open.shell(way)).stdout).toMatch(/^host/);
    const listed = await standing({ mode: 'allowlist', allow: ['example.org'] });
    const raw = await listed.shell(`curl -sS ${aside} http://127.0.0.1:${http}/`);
    expect(raw.stderr).toMatch(/Could not connect|Couldn't connect|Failed to connect/);
    expect((await listed.shell(`${datagram(udp)} 2000`)).status).not.toBe(0);
    expect((await listed.shell('getent hosts example.org')).status).not.toBe(0);
    const seen = await listed.shell(
      'tail -n +3 /proc/net/dev | cut -d: -f1; tail -n +2 /proc/net/route; touch /coppice/net/x',
    );
    expect(seen.stdout.trim()).toBe('lo');
    expect(seen.stderr).toMatch(/Read-only file system/);
  });

  test('reaches what is listed through the proxy, and nothing else; what was denied is told', async () => {
    const { http } = await hostServices();
    const { shell, runtime, id } = await standing({
      mode: 'allowlist',
      allow: [`localhost:${http}`, `127.0.0.1:${http}`, 'localhost:1'],
    });
    const reached = await shell(
      `${withoutExceptions}; curl -sS http://localhost:${http}/plain; curl -sS --proxytunnel http://localhost:${http}/tunnel`,
    );
    expect(reached).toEqual({ stdout: 'host /plain\nhost /tunnel\n', stderr: '', status: 0 });
    const denied = await shell(
      `${withoutExceptions}; curl -sS http://127.0.0.1:2/; curl -sS https://denied.test/; curl -sS http://localhost:1/; true`,
    );
    expect(denied.stdout).toMatch(/^127\.0\.0\.1:2 is not on the allowlist.*\nlocalhost leads to an address/);
    expect(denied.stderr).toContain('response 403');
    await eventually(async () => (await runtime.denied(id)).total === 3);
    expect((await runtime.denied(id)).recent.map(({ host, port, reason }) => [host, port, reason])).toEqual([
      ['localhost', 1, 'private'],
      ['denied.test', 443, 'not-listed'],
      ['127.0.0.1', 2, 'not-listed'],
    ]);
  });

  test('is changed while it runs, survives a stop and the loss of its helpers, and leaves nobody behind', async () => {
    const { http } = await hostServices();
    const { shell, runtime, id, stateDirectory } = await standing({ mode: 'allowlist', allow: [] });
    const ask = `${withoutExceptions}; curl -sS http://127.0.0.1:${http}/`;
    expect((await shell(ask)).stdout).toContain('is not on the allowlist');
    await runtime.allow(id, [`127.0.0.1:${http}`]);
    expect((await shell(ask)).stdout).toBe('host /\n');
    expect((await runtime.denied(id)).total).toBe(0);
    await runtime.stop(id);
    expect(processesOf(stateDirectory)).toBe(0);
    await runtime.start(id);
    expect((await shell(ask)).stdout).toBe('host /\n');
    await shell('pkill -f forward.cjs');
    await eventually(async () => (await shell(ask)).stdout === 'host /\n');
    const proxies = readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && commandLine(pid).includes(stateDirectory),
    );
    for (const pid of proxies) process.kill(Number(pid), 'SIGKILL');
    await eventually(async () => (await shell(ask)).stdout === 'host /\n');
    await runtime.allow(id, []);
    expect((await shell(ask)).stdout).toContain('is not on the allowlist');
    await runtime.remove(id);
    expect(processesOf(stateDirectory)).toBe(0);
  });

  test('is refused where nothing is isolated, and cannot be had later', async () => {
    await expect(standing({ mode: 'allowlist', allow: [] }, 'plain')).rejects.toMatchObject({ code: 'not-isolated' });
    const { runtime, id } = await standing('open');
    await expect(runtime.allow(id, ['example.org'])).rejects.toMatchObject({ code: 'no-allowlist' });
    expect(await runtime.denied(id)).toEqual({ total: 0, recent: [] });
  });
});
