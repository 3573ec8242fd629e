import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { connect } from '../../../src/runtime/docker/connection.ts';
import { endpointsOf } from '../../../src/runtime/docker/endpoint.ts';
import { temporaryDirectory } from '../../support/repository.ts';

function userWith(env: Record<string, string>, files: Readonly<Record<string, string>> = {}) {
  const home = temporaryDirectory();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(home, path, '..'), { recursive: true });
    writeFileSync(join(home, path), content);
  }
  return surroundingsOf(home, { HOME: home, PATH: process.env.PATH ?? '', ...env });
}

const contextId = createHash('sha256').update('far').digest('hex');
const contextFiles = {
  [`.docker/contexts/meta/${contextId}/meta.json`]: JSON.stringify({
    Name: 'far',
    Endpoints: { docker: { Host: 'tcp://far.example:2376', SkipTLSVerify: false } },
  }),
  [`.docker/contexts/tls/${contextId}/docker/ca.pem`]: 'the ca',
};

describe('where an engine is looked for', () => {
  test('DOCKER_HOST counts alone, before any context', async () => {
    const user = userWith({ DOCKER_HOST: 'unix:///some/socket', DOCKER_CONTEXT: 'far' }, contextFiles);
    expect(await endpointsOf(user)).toEqual([
      { address: 'unix:///some/socket', source: 'DOCKER_HOST', way: { kind: 'socket', path: '/some/socket' } },
    ]);
  });

  test('a context named by DOCKER_CONTEXT or chosen in the configuration counts, with its certificates', async () => {
    const way = {
      kind: 'tcp',
      host: 'far.example',
      port: 2376,
      tls: { ca: 'the ca', cert: undefined, key: undefined, verify: true },
    };
    const named = await endpointsOf(userWith({ DOCKER_CONTEXT: 'far' }, contextFiles));
    expect(named).toEqual([{ address: 'tcp://far.example:2376', source: 'docker context "far"', way }]);
    const chosen = userWith({}, { ...contextFiles, '.docker/config.json': '{"currentContext":"far"}' });
    expect(await endpointsOf(chosen)).toEqual(named);
    const elsewhere = userWith({ DOCKER_CONFIG: '/nowhere' }, { '.docker/config.json': '{"currentContext":"far"}' });
    expect((await endpointsOf(elsewhere)).map(({ source }) => source)).not.toContain('docker context "far"');
  });

  test('a context that does not exist is an error, not a reason to use another engine', async () => {
    await expect(endpointsOf(userWith({ DOCKER_CONTEXT: 'gone' }))).rejects.toMatchObject({
      code: 'engine-unreachable',
      message: 'The docker context "gone" does not exist.',
    });
  });

  test('otherwise the known sockets, Docker before Podman', async () => {
    const user = userWith(
      { XDG_RUNTIME_DIR: '/run/user/7' },
      { '.docker/config.json': '{"currentContext":"default"}' },
    );
    expect((await endpointsOf(user)).map(({ address }) => address)).toEqual([
      'unix:///var/run/docker.sock',
      'unix:///run/user/7/docker.sock',
      `unix://${user.home}/.docker/run/docker.sock`,
      `unix://${user.home}/.orbstack/run/docker.sock`,
      `unix://${user.home}/.colima/default/docker.sock`,
      `unix://${user.home}/.rd/docker.sock`,
      'unix:///run/user/7/podman/podman.sock',
      'unix:///run/podman/podman.sock',
    ]);
  });

  test.each([
    ['tcp://10.0.0.1', { kind: 'tcp', host: '10.0.0.1', port: 2375, tls: undefined }],
    ['10.0.0.1:99', { kind: 'tcp', host: '10.0.0.1', port: 99, tls: undefined }],
    ['tcp://[::1]:99', { kind: 'tcp', host: '::1', port: 99, tls: undefined }],
    ['ssh://ada@box', { kind: 'ssh', destination: 'ada@box', port: undefined }],
    ['ssh://box:22', { kind: 'ssh', destination: 'box', port: '22' }],
  ])('%s', async (address, way) => {
    expect((await endpointsOf(userWith({ DOCKER_HOST: address })))[0]?.way).toEqual(way);
  });

  test.each(['npipe:////./pipe/docker', 'tcp://', 'ssh://-oProxyCommand=x'])('%s is refused', async (address) => {
    await expect(endpointsOf(userWith({ DOCKER_HOST: address }))).rejects.toMatchObject({ code: 'engine-unreachable' });
  });

  test.each(['1', 'true', '0'])('DOCKER_TLS_VERIFY=%s asks for checked TLS', async (value) => {
    const user = userWith(
      { DOCKER_HOST: 'tcp://far.example', DOCKER_TLS_VERIFY: value },
      { '.docker/ca.pem': 'ca', '.docker/cert.pem': 'cert', '.docker/key.pem': 'key' },
    );
    expect((await endpointsOf(user))[0]?.way).toEqual({
      kind: 'tcp',
      host: 'far.example',
      port: 2376,
      tls: { ca: 'ca', cert: 'cert', key: 'key', verify: true },
    });
  });
});

describe('when no engine answers', () => {
  test('what the user named is the only thing tried, and named', async () => {
    const socket = join(temporaryDirectory(), 'none');
    await expect(connect(userWith({ DOCKER_HOST: `unix://${socket}` }))).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'engine-unreachable',
      message: `The engine at unix://${socket}, named by DOCKER_HOST, does not answer: no such socket.`,
      data: { tried: [{ address: `unix://${socket}`, error: 'no such socket' }] },
    });
  });
});
