/** Where an engine may answer, in the order in which it is asked. Pure but for reading the docker client's own files. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { CoppiceError } from '../../domain/error.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import { dockerConfigDirectory, parseJson, readDockerConfig, readIfThere } from './docker-config.ts';

export interface Endpoint {
  /** As people write it: `unix:///var/run/docker.sock`. */
  readonly address: string;
  /** Why it is asked: `DOCKER_HOST`, `docker context "remote"`, `default`. */
  readonly source: string;
  readonly way:
    | { readonly kind: 'socket'; readonly path: string }
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: Tls | undefined }
    | { readonly kind: 'ssh'; readonly destination: string; readonly port: string | undefined };
}

/** PEM texts; whether the server's certificate is checked. */
export interface Tls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly verify: boolean;
}

/**
 * What the user said explicitly comes alone: DOCKER_HOST, then DOCKER_CONTEXT, then the current context, as the docker
 * client does it. Otherwise the sockets of Docker, rootless Docker, Podman, Colima, OrbStack and Rancher Desktop.
 */
export async function endpointsOf(surroundings: Surroundings): Promise<readonly Endpoint[]> {
  const { env } = surroundings;
  if (env.DOCKER_HOST) return [parseAddress(env.DOCKER_HOST, 'DOCKER_HOST', await environmentTls(surroundings))];
  const context = env.DOCKER_CONTEXT || (await readDockerConfig(surroundings)).currentContext;
  if (context !== undefined && context !== '' && context !== 'default') return [await ofContext(surroundings, context)];
  return defaultSockets(surroundings).map((path) => parseAddress(`unix://${path}`, 'default', undefined));
}

function defaultSockets({ env, home, uid }: Surroundings): readonly string[] {
  const runtimeDirectory = env.XDG_RUNTIME_DIR || `/run/user/${uid}`;
  return [
    '/var/run/docker.sock',
    join(runtimeDirectory, 'docker.sock'),
    join(home, '.docker/run/docker.sock'),
    join(home, '.orbstack/run/docker.sock'),
    join(home, '.colima/default/docker.sock'),
    join(home, '.rd/docker.sock'),
    join(runtimeDirectory, 'podman/podman.sock'),
    '/run/podman/podman.sock',
  ];
}

function parseAddress(address: string, source: string, tls: Tls | undefined): Endpoint {
  const [, scheme = 'tcp', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(address) ?? [];
  const way = wayOf(scheme, rest, tls);
  if (way !== undefined) return { address, source, way };
  throw new CoppiceError(
    'unavailable',
    'engine-unreachable',
    `${source} says ${address}, which is no engine address.`,
    {
      hint: 'Use unix:///path/to/socket, tcp://host:port or ssh://user@host.',
      data: { tried: [address] },
    },
  );
}

function wayOf(scheme: string, rest: string, tls: Tls | undefined): Endpoint['way'] | undefined {
  if (scheme === 'unix') return { kind: 'socket', path: rest };
  const text = `tcp://${rest}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '' || url.hostname.startsWith('-')) return undefined;
  if (scheme === 'ssh') {
    const user = url.username === '' ? '' : `${decodeURIComponent(url.username)}@`;
    return { kind: 'ssh', destination: `${user}${url.hostname}`, port: url.port === '' ? undefined : url.port };
  }
  if (!['tcp', 'http', 'https'].includes(scheme)) return undefined;
  const secure = tls ?? (scheme === 'https' ? noCertificates : undefined);
  const port = Number(url.port) || (secure === undefined ? 2375 : 2376);
  return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port, tls: secure };
}

const noCertificates: Tls = { ca: undefined, cert: undefined, key: undefined, verify: true };

/** Any value of DOCKER_TLS_VERIFY but the empty one asks for checked TLS; DOCKER_TLS alone for unchecked. */
async function environmentTls(surroundings: Surroundings): Promise<Tls | undefined> {
  const { env } = surroundings;
  if (!env.DOCKER_TLS_VERIFY && !env.DOCKER_TLS) return undefined;
  const directory = env.DOCKER_CERT_PATH || dockerConfigDirectory(surroundings);
  return readTls(directory, Boolean(env.DOCKER_TLS_VERIFY));
}

async function readTls(directory: string, verify: boolean): Promise<Tls> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readIfThere(join(directory, name))),
  );
  return { ca, cert, key, verify };
}

const contextSchema = z.object({
  Endpoints: z.object({ docker: z.object({ Host: z.string(), SkipTLSVerify: z.optional(z.boolean()) }) }),
});

async function ofContext(surroundings: Surroundings, name: string): Promise<Endpoint> {
  const id = createHash('sha256').update(name).digest('hex');
  const directory = join(dockerConfigDirectory(surroundings), 'contexts');
  const meta = await readIfThere(join(directory, 'meta', id, 'meta.json'));
  const parsed = meta === undefined ? undefined : contextSchema.safeParse(parseJson(meta));
  if (!parsed?.success) {
    throw new CoppiceError('unavailable', 'engine-unreachable', `The docker context "${name}" does not exist.`, {
      hint: 'Choose one of "docker context ls", or unset DOCKER_CONTEXT.',
      data: { tried: [`context ${name}`] },
    });
  }
  const { Host, SkipTLSVerify } = parsed.data.Endpoints.docker;
  const tls = await readTls(join(directory, 'tls', id, 'docker'), SkipTLSVerify !== true);
  const hasTls = tls.ca !== undefined || tls.cert !== undefined || SkipTLSVerify === true;
  return parseAddress(Host, `docker context "${name}"`, hasTls ? tls : undefined);
}
