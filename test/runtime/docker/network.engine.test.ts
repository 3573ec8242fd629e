/**
 * What a container may reach, with an engine and servers of our own. Every way out is first shown to work from a
 * container whose network is open, so that its failing elsewhere means something.
 */
import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Network } from '../../../src/domain/network.ts';
import { type DockerRuntime, dockerRuntime } from '../../../src/runtime/docker/docker-runtime.ts';
import type { ContainerRequest } from '../../../src/runtime/runtime.ts';
import { engineSurroundings, testEngine } from '../../support/engine.ts';
import { eventually } from '../../support/eventually.ts';
import { attempts, outside } from './network-programs.ts';
import { finish } from './place.ts';

/** Seconds of an attempt that shall fail, and of one that shall not. Failing ones say at once why; only UDP is silent. */
const brief = 3;
const long = 60;

const mark = `coppice-test-net-${process.pid}-${Date.now()}`;
const labels = { 'dev.coppice.test': mark };
/** Stand for the internet, and for somebody's own network. */
const internet = `${mark}-internet`;
const intranet = `${mark}-intranet`;
const server = `${mark}-server`;

function engine(...args: readonly string[]): string {
  const env = { ...process.env, DOCKER_HOST: inject('engine').address };
  return execFileSync('docker', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

const names = (...list: readonly string[]) => list.flatMap((name) => ['--alias', name]);
const addressOn = (container: string, network: string) =>
  engine('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);
const heard = () => engine('logs', server);

let runtime: DockerRuntime;
let home: string;
let hostService: Server;
/** UDP of the host, at every address, and what it heard. */
let hostEar: Socket;
const hostHeard: string[] = [];
/** Where the outside, the own network and the host's service are. */
let at: { bridge: string; internet: string; intranet: string; host: string; hostPort: number };
let open: string;
let listed: string;

function request(name: string, network: Network): ContainerRequest {
  return {
    name: `${mark}-${name}`,
    image: testEngine().base,
    labels,
    hostname: name,
    mounts: [{ source: home, target: '/coppice/home', readOnly: false }],
    workdir: '/tmp',
    user: { uid: 1234, gid: 2345, name: 'ada', home: '/coppice/home' },
    environment: {},
    limits: {},
    network,
    root: true,
  };
}

async function standing(name: string, network: Network): Promise<string> {
  const { id } = await runtime.create(request(name, network));
  await runtime.start(id);
  return id;
}

/** The gateway finds the servers of the test by their names on these networks, which no environment is on. */
function showOutside(container: string): void {
  for (const network of [internet, intranet]) engine('network', 'connect', network, `${container}-gateway`);
}

async function allow(...hosts: readonly string[]): Promise<void> {
  const before = engine('inspect', '-f', '{{.Id}}', `${mark}-listed-gateway`);
  await runtime.allow(listed, hosts);
  if (engine('inspect', '-f', '{{.Id}}', `${mark}-listed-gateway`) !== before) showOutside(`${mark}-listed`);
}

type Attempt = readonly [name: string, kind: string, ...rest: readonly (string | number)[]];

async function attempt(
  id: string,
  list: readonly Attempt[],
  options: { readonly seconds?: number; readonly root?: boolean } = {},
): Promise<Record<string, string>> {
  const { seconds = long, root = false } = options;
  const command = ['node', '-e', attempts, JSON.stringify(list), String(seconds)];
  const done = await finish(runtime, id, { command, root });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout);
}

const shell = (id: string, script: string, root = false) =>
  finish(runtime, id, { command: ['sh', '-c', script], root });

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'coppice-test-'));
  chmodSync(home, 0o777);
  const program = resolve(import.meta.dirname, '../../../dist/gateway/main.cjs');
  runtime = dockerRuntime(engineSurroundings(home), { node: process.execPath, program, fallbackImage: 'none' });
  hostService = createServer((_, response) => response.end('the host\n')).listen(0, '0.0.0.0');
  await once(hostService, 'listening');
  hostEar = createSocket('udp4').on('message', (message) => void hostHeard.push(String(message)));
  hostEar.bind(0);
  await once(hostEar, 'listening');
  const block = 16 * (process.pid % 16);
  engine('network', 'create', '--subnet', `198.51.100.${block}/28`, internet);
  engine('network', 'create', '--subnet', `10.213.113.${block}/28`, intranet);
  engine('run', '-d', '--name', server, testEngine().base, 'node', '-e', outside);
  engine('network', 'connect', ...names('allowed.test', 'denied.test', 'wild.test', 'a.wild.test'), internet, server);
  engine('network', 'connect', ...names('inner.test'), intranet, server);
  await eventually(() => heard().includes('ready'));
  at = {
    bridge: addressOn(server, 'bridge'),
    internet: addressOn(server, internet),
    intranet: addressOn(server, intranet),
    host: engine('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', 'bridge'),
    hostPort: (hostService.address() as AddressInfo).port,
  };
  const allowlist = { mode: 'allowlist', allow: ['allowed.test', '*.wild.test:443', 'inner.test'] } as const;
  [open, listed] = await Promise.all([
    standing('open', 'open'),
    standing('listed', { mode: 'allowlist', allow: [...allowlist.allow] }),
  ]);
  showOutside(`${mark}-listed`);
});

afterAll(async () => {
  for (const id of [open, listed]) if (id !== undefined) await runtime.remove(id);
  await runtime.sweep(labels);
  await runtime.close();
  engine('rm', '-f', server);
  engine('network', 'rm', internet, intranet);
  hostService.close();
  hostEar.close();
  rmSync(home, { recursive: true, force: true });
});

describe('an allowlist', () => {
  it('leads to the hosts listed, with the proxy and without knowing of it', async () => {
    const reached = await attempt(listed, [
      ['plain', 'get', 'http://allowed.test/plain'],
      ['tls', 'sni', 'allowed.test', 443],
      ['below', 'sni', 'a.wild.test', 443],
    ]);
    expect(reached).toEqual({
      plain: '200 outside GET 80\n',
      tls: 'outside for allowed.test',
      below: 'outside for a.wild.test',
    });
    const proxied = await shell(
      listed,
      'curl -sS --proxytunnel http://allowed.test/tunnel; curl -sS -d body http://allowed.test/proxied; env | grep -ci "^[a-z]*_proxy="',
    );
    expect(proxied).toMatchObject({ stdout: 'outside GET 80\noutside POST 80body\n6\n', stderr: '' });
    expect(heard()).toContain('http /proxied allowed.test');
  });

  it('keeps what is not listed away, says so to programs, and tells what was denied', async () => {
    const before = (await runtime.denied(listed)).total;
    const denied = await attempt(listed, [
      ['name', 'lookup', 'denied.test', 4],
      ['above', 'lookup', 'wild.test', 4],
      ['tunnel by names', 'txt', 'secret-words.denied.test'],
      ['server name', 'sni', 'denied.test', 443, 'allowed.test'],
      ['no server name', 'tcp', 'allowed.test', 443, 'SSH-2.0-x\r\n'],
      [
        'host header',
        'tcp',
        'allowed.test',
        80,
        'GET /denied HTTP/1.1\r\nHost: denied.test\r\nConnection: close\r\n\r\n',
      ],
      ['port', 'sni', 'a.wild.test', 8443],
    ]);
    expect(denied).toMatchObject({
      name: 'failed: ENOTFOUND',
      above: 'failed: ENOTFOUND',
      'tunnel by names': 'failed: ENOTFOUND',
      'server name': expect.stringMatching(/^failed: ERR_SSL_TLSV1_ALERT_ACCESS_DENIED/),
      'host header': expect.stringContaining('403 Forbidden'),
      port: 'failed: ECONNREFUSED',
    });
    const curl = await shell(listed, 'curl -sS https://denied.test/ 2>&1; curl -sS http://allowed.test:8080/; true');
    expect(curl.stdout).toMatch(/CONNECT tunnel failed, response 403\nallowed\.test:8080 is not on the allowlist/);
    await eventually(async () => (await runtime.denied(listed)).total >= before + 8);
    const told = (await runtime.denied(listed)).recent.map(({ host, port, reason }) => `${host} ${port} ${reason}`);
    expect(told).toEqual(
      expect.arrayContaining([
        'denied.test null not-listed',
        'wild.test null not-listed',
        'secret-words.denied.test null not-listed',
        'denied.test 443 not-listed',
        'denied.test 80 not-listed',
        'allowed.test 8080 not-listed',
        'unnamed 443 no-name',
      ]),
    );
    expect(heard()).not.toMatch(/\/denied|secret-words/);
  });

  it('leads nowhere by address, UDP, name server or IPv6: not to the outside, the host, or another container', async () => {
    const neighbour = addressOn(`${mark}-open`, 'bridge');
    const ways: readonly Attempt[] = [
      ['outside', 'tcp', at.bridge, 80, 'GET /raw HTTP/1.0\r\n\r\n'],
      ['udp', 'udp', at.bridge, 9999, 'raw-datagram'],
      ['name server', 'udp', at.bridge, 53, 'raw-dns'],
      ['host', 'tcp', at.host, at.hostPort, 'GET / HTTP/1.0\r\n\r\n'],
    ];
    expect(await attempt(open, ways)).toEqual({
      outside: expect.stringContaining('outside GET 80'),
      udp: 'outside',
      'name server': 'outside',
      host: expect.stringContaining('the host'),
    });
    for (const each of ['http /raw', 'raw-datagram', 'raw-dns']) expect(heard()).toContain(each);
    const before = heard();
    const ownNetwork = JSON.parse(engine('network', 'inspect', `${mark}-listed`))[0].IPAM.Config[0].Gateway;
    const failed = await attempt(
      listed,
      [
        ...ways,
        ['outside by its name’s address', 'tcp', at.internet, 80, 'GET /raw HTTP/1.0\r\n\r\n'],
        ['intranet', 'tcp', at.intranet, 80, 'GET /raw HTTP/1.0\r\n\r\n'],
        ['host on its own network', 'tcp', ownNetwork, at.hostPort, 'GET / HTTP/1.0\r\n\r\n'],
        ['neighbour', 'tcp', neighbour, 80, ''],
        ['version 6', 'tcp', '2001:db8::1', 80, ''],
        ['the host’s link-local address', 'tcp', 'fe80::1%eth0', at.hostPort, ''],
        ['another name server', 'ask', at.bridge, 'denied.test'],
        ['the engine’s own name server', 'ask', '127.0.0.11', 'denied.test'],
        ['metadata', 'tcp', '169.254.169.254', 80, 'GET / HTTP/1.0\r\n\r\n'],
      ],
      { seconds: brief },
    );
    for (const [way, outcome] of Object.entries(failed)) expect(`${way}: ${outcome}`).toMatch(/: failed: /);
    expect(await attempt(listed, [['names', 'lookup', 'allowed.test', 6]])).toEqual({
      names: expect.stringMatching(/^failed: ENO/),
    });
    expect((await shell(listed, 'cat /proc/net/if_inet6')).stdout).toBe('');
    expect(heard()).toBe(before);
  });

  it('does not carry a broadcast to the host, of which a name server there could make a way out', async () => {
    const shouts = (by: string): readonly Attempt[] =>
      ['255.255.255.255', '224.0.0.1', '198.18.255.255'].map((to) => [
        to,
        'shout',
        to,
        hostEar.address().port,
        `${by} ${to}`,
      ]);
    const subnet = JSON.parse(engine('network', 'inspect', `${mark}-listed`))[0].IPAM.Config[0].Subnet;
    const broadcast = subnet.replace(/(\d+)\/29$/, (_: string, last: string) => String(Number(last) + 7));
    await attempt(listed, [...shouts('listed'), ['own', 'shout', broadcast, hostEar.address().port, 'listed own']]);
    await attempt(open, shouts('open'));
    await eventually(() => hostHeard.includes('open 255.255.255.255') && hostHeard.includes('open 224.0.0.1'));
    expect(hostHeard.filter((each) => each.startsWith('listed'))).toEqual([]);
  });

  it('leads through the gateway neither to the host nor to private addresses, whatever name leads there', async () => {
    const ask = (host: string) => `curl -sS http://${host}/ 2>&1`;
    const tries = [
      `${at.host}:${at.hostPort}`,
      at.intranet,
      '169.254.169.254',
      '127.0.0.1:3128',
      '[::1]:80',
      'inner.test',
    ];
    const seen = await shell(listed, `unset NO_PROXY no_proxy; ${tries.map(ask).join('; ')}`);
    expect(seen.stdout.match(/is not on the allowlist|which is not allowed/g)).toHaveLength(tries.length);
    await eventually(async () => (await runtime.denied(listed)).recent[0]?.host === 'inner.test');
    expect((await runtime.denied(listed)).recent[0]).toMatchObject({ port: 80, reason: 'private', count: 1 });
    await allow('inner.test', at.intranet);
    expect((await shell(listed, ask('inner.test'))).stdout).toBe('outside GET 80\n');
  });

  it('cannot be undone by root inside', async () => {
    await allow('allowed.test');
    const seen = await shell(
      listed,
      `id -u; grep CapEff /proc/self/status | cut -f2; echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo nameserver ${at.bridge} > /etc/resolv.conf; cat /etc/resolv.conf`,
      true,
    );
    const [uid, capabilities, resolver] = seen.stdout.split('\n');
    expect([uid, resolver]).toEqual(['0', `nameserver ${at.bridge}`]);
    // capabilities(7): NET_BIND_SERVICE is 10, NET_ADMIN 12, NET_RAW 13, SYS_PTRACE 19, SYS_ADMIN 21.
    for (const number of [12, 13, 19, 21]) expect((BigInt(`0x${capabilities}`) >> BigInt(number)) & 1n).toBe(0n);
    expect(seen.stderr).toMatch(/Read-only file system/);
    const failed = await attempt(
      listed,
      [
        ['name', 'lookup', 'denied.test', 4],
        ['outside', 'tcp', at.bridge, 80, 'GET /root HTTP/1.0\r\n\r\n'],
        ['host', 'tcp', at.host, at.hostPort, 'GET / HTTP/1.0\r\n\r\n'],
        ['udp', 'udp', at.bridge, 9999, 'root'],
      ],
      { seconds: brief, root: true },
    );
    for (const [way, outcome] of Object.entries(failed)) expect(`${way}: ${outcome}`).toMatch(/: failed: /);
  });

  it('is changed under a running container, holds after a stop, and fails closed without its gateway, which comes back', async () => {
    await allow('denied.test');
    const both = 'curl -sS http://denied.test/; curl -sS http://allowed.test/; true';
    const changed = await shell(listed, both);
    expect(changed.stdout).toMatch(/^outside GET 80\nallowed\.test:80 is not on the allowlist/);
    await runtime.stop(listed);
    await runtime.start(listed);
    expect((await shell(listed, both)).stdout).toBe(changed.stdout);
    engine('stop', '-t', '0', `${mark}-listed-gateway`);
    expect((await shell(listed, both)).stdout).toBe(changed.stdout);
    engine('rm', '-f', `${mark}-listed-gateway`);
    expect((await shell(listed, `curl -sS -m ${brief} http://denied.test/`)).status).not.toBe(0);
  });

  it('has a gateway that can do nothing else, and that goes with the container', async () => {
    const { id } = await runtime.create(request('gone', { mode: 'allowlist', allow: [] }));
    const [gateway] = JSON.parse(engine('inspect', `${mark}-gone-gateway`));
    expect(gateway.Config.User).toBe('65534:65534');
    expect(gateway.HostConfig).toMatchObject({ Privileged: false, ReadonlyRootfs: true, CapDrop: ['ALL'] });
    expect(gateway.HostConfig.Memory).toBeGreaterThan(0);
    expect(gateway.HostConfig.SecurityOpt).toContain('no-new-privileges');
    expect((await runtime.list(labels)).map(({ name }) => name)).not.toContain(`${mark}-gone-gateway`);
    await runtime.remove(id);
    expect(engine('ps', '-aq', '--filter', `name=${mark}-gone`)).toBe('');
    expect(engine('network', 'ls', '-q', '--filter', `name=${mark}-gone`)).toBe('');
    // The container was removed by somebody else: what stood beside it goes as well.
    await runtime.create(request('gone', { mode: 'allowlist', allow: [] }));
    engine('rm', '-f', `${mark}-gone`);
    await runtime.sweep(labels);
    expect(engine('ps', '-aq', '--filter', `name=${mark}-gone`)).toBe('');
    expect(engine('network', 'ls', '-q', '--filter', `name=${mark}-gone`)).toBe('');
    expect(engine('ps', '-q', '--filter', `name=${mark}-listed`).split('\n')).toHaveLength(1);
  });

  it('is refused where the engine puts the host on the network', async () => {
    const { id } = await runtime.create(request('exposed', { mode: 'allowlist', allow: [] }));
    try {
      const name = `${mark}-exposed`;
      const [network] = JSON.parse(engine('network', 'inspect', name));
      const { Subnet, Gateway } = network.IPAM.Config[0];
      const addresses = [name, `${name}-gateway`].map(
        (each) => JSON.parse(engine('inspect', each))[0].NetworkSettings.Networks[name].IPAMConfig.IPv4Address,
      );
      for (const each of [name, `${name}-gateway`]) engine('network', 'disconnect', name, each);
      engine('network', 'rm', name);
      // The same network as an engine makes it that does not know the option.
      engine('network', 'create', '--internal', '--subnet', Subnet, '--gateway', Gateway, name);
      engine('network', 'connect', '--ip', addresses[0], name, name);
      engine('network', 'connect', '--ip', addresses[1], name, `${name}-gateway`);
      await expect(runtime.start(id)).rejects.toMatchObject({ kind: 'unavailable', code: 'not-isolated' });
      expect(engine('inspect', '-f', '{{.State.Running}}', name)).toBe('false');
    } finally {
      await runtime.remove(id);
    }
  });
});
