import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { dockerRuntime } from '../../../src/runtime/docker/docker-runtime.ts';
import { makeEngine } from '../../../src/runtime/docker/engine.ts';
import { writeFiles } from '../../../src/runtime/docker/tar-entry.ts';
import { engineSurroundings } from '../../support/engine.ts';
import { temporaryDirectory } from '../../support/repository.ts';

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A registry (OCI distribution, pull only) with one image of one layer, for those who know the password. */
async function registry(options: { readonly breakLayer?: boolean } = {}): Promise<string> {
  const tar = writeFiles({ hello: `hello ${Date.now()}\n` });
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    }),
  );
  const type = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        size: config.length,
        digest: digestOf(config),
      },
      layers: [
        {
          mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
          size: layer.length,
          digest: digestOf(layer),
        },
      ],
    }),
  );
  const sentLayer = options.breakLayer ? Buffer.alloc(layer.length) : layer;
  const blobs = new Map([
    [digestOf(config), config],
    [digestOf(layer), sentLayer],
  ]);
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    const allowed = request.headers.authorization === `Basic ${Buffer.from('ada:secret').toString('base64')}`;
    const blob = blobs.get(url.split('/blobs/')[1] ?? '');
    if (!allowed) response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
    else if (url === '/v2/') response.writeHead(200).end('{}');
    else if (/^\/v2\/thing\/manifests\/(latest|sha256:.*)$/.test(url)) {
      const headers = { 'content-type': type, 'docker-content-digest': digestOf(manifest) };
      response.writeHead(200, { ...headers, 'content-length': manifest.length }).end(manifest);
    } else if (blob !== undefined) response.writeHead(200, { 'content-length': blob.length }).end(blob);
    else
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A runtime whose user has this docker client configuration, and these programs. */
function runtimeWith(config: unknown, programs: Readonly<Record<string, string>> = {}) {
  const home = temporaryDirectory();
  mkdirSync(join(home, '.docker'));
  mkdirSync(join(home, 'bin'));
  writeFileSync(join(home, '.docker/config.json'), JSON.stringify(config));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(home, 'bin', name), `#!/bin/sh\n${script}`);
    chmodSync(join(home, 'bin', name), 0o755);
  }
  const { env } = engineSurroundings(home);
  const surroundings = surroundingsOf(home, { ...env, PATH: `${home}/bin:${env.PATH}` });
  const runtime = dockerRuntime(surroundings);
  onTestFinished(() => runtime.close());
  return { runtime, surroundings };
}

async function pull(host: string, config: unknown, programs: Readonly<Record<string, string>> = {}) {
  const { runtime, surroundings } = runtimeWith(config, programs);
  const reference = `${host}/thing`;
  const said: string[] = [];
  await runtime.prepareImage(reference, ({ message }) => said.push(message));
  const engine = makeEngine(surroundings);
  onTestFinished(async () => {
    await engine.call({ failed: 'clean-up' }, 30, (docker) => docker.getImage(reference).remove({ force: true }));
    engine.close();
  });
  const again: string[] = [];
  await runtime.prepareImage(reference, ({ message }) => again.push(message));
  return { reference, said, again };
}

describe('pulling', () => {
  test('with the password that "docker login" wrote, and not a second time', async () => {
    const host = await registry();
    const auth = Buffer.from('ada:secret').toString('base64');
    const { reference, said, again } = await pull(host, { auths: { [host]: { auth } } });
    expect(said[0]).toBe(`Pulling ${reference}`);
    expect(again).toEqual([]);
  });

  test('with the password a credential helper knows', async () => {
    const host = await registry();
    const script = `read -r asked; [ "$asked" = "${host}" ] && echo '{"Username":"ada","Secret":"secret"}'`;
    const helper = { 'docker-credential-vault': script };
    await pull(host, { credHelpers: { [host]: 'vault' } }, helper);
    const other = await registry();
    const storeScript = script.replace(host, other);
    await pull(other, { credsStore: 'store', auths: { [other]: {} } }, { 'docker-credential-store': storeScript });
  });

  test('without it the image is not there', async () => {
    const host = await registry();
    const { runtime } = runtimeWith({});
    await expect(runtime.prepareImage(`${host}/thing`, () => undefined)).rejects.toMatchObject({
      code: 'image-not-found',
      hint: expect.any(String),
    });
  });

  test('an error inside the stream of a successful answer is an error', async () => {
    const host = await registry({ breakLayer: true });
    const auth = Buffer.from('ada:secret').toString('base64');
    const { runtime } = runtimeWith({ auths: { [host]: { auth } } });
    await expect(runtime.prepareImage(`${host}/thing`, () => undefined)).rejects.toMatchObject({
      code: 'image-not-found',
    });
  });
});
