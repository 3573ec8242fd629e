/** The gateway of a container with an allowlist: a container of our own program between its network and the outside. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import * as z from 'zod/mini';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { type Denials, denialsSchema, noDenials } from '../../domain/network.ts';
import type { GatewayConfiguration } from '../../gateway/configuration.ts';
import { labels as known } from '../runtime.ts';
import { removeContainer } from './create-container.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import { type GatewayImage, type GatewayProgram, gatewayImage } from './gateway-image.ts';
import { type Addresses, linkName } from './private-network.ts';

/** Says of a container of ours that it is no environment's but stands beside one. */
export const roleLabel = 'dev.coppice.role';
export const gatewayRole = 'gateway';
/** Fingerprint of what it was made of. */
const stateLabel = 'dev.coppice.gateway';

export function gatewayName(container: string): string {
  return `${container}-gateway`;
}

/** Enough for a thousand connections at once; what floods it ends there. */
const memory = 128 * 2 ** 20;
const processes = 64;
const openFiles = 8_192;
const nobody = '65534:65534';

export interface GatewayRequest {
  /** Of the environment's container; its network has the same name. */
  readonly container: string;
  readonly addresses: Addresses;
  readonly allow: readonly string[];
  /** Of the environment's container. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Makes it, or makes it anew where it is another than asked for. Resolves to whether it did. It does not run yet. */
export async function makeGateway(engine: Engine, program: GatewayProgram, request: GatewayRequest): Promise<boolean> {
  const source = await readFile(program.program, 'utf8');
  const image = await gatewayImage(engine, program);
  const configuration: GatewayConfiguration = {
    kind: 'gateway',
    address: request.addresses.gateway,
    engine: request.addresses.engine,
    allow: request.allow,
    own: await hostAddresses(engine),
  };
  const state = createHash('sha256')
    .update(JSON.stringify([source, image, configuration]))
    .digest('hex');
  const name = gatewayName(request.container);
  if ((await stateOf(engine, name)) === state) return false;
  await removeContainer(engine, name);
  const options = gatewayOptions(name, image, source, configuration, {
    ...request.labels,
    [known.tool]: '1',
    [roleLabel]: gatewayRole,
    [stateLabel]: state,
  });
  await engine.call({ failed: `The gateway ${name} could not be made` }, 120, async (docker, abortSignal) => {
    const signal = abortSignal === undefined ? {} : { abortSignal };
    const { id } = await docker.createContainer({ ...options, ...signal });
    const endpoint = { IPAMConfig: { IPv4Address: request.addresses.gateway } };
    await docker.getNetwork(request.container).connect({ Container: id, EndpointConfig: endpoint, ...signal });
    await docker.getNetwork(linkName(request.container)).connect({ Container: id, ...signal });
  });
  return true;
}

function gatewayOptions(
  name: string,
  image: GatewayImage,
  source: string,
  configuration: GatewayConfiguration,
  labels: Readonly<Record<string, string>>,
): Docker.ContainerCreateOptions {
  return {
    name,
    Image: image.reference,
    User: nobody,
    WorkingDir: '/',
    // Little memory to begin with: there is one for each environment.
    Entrypoint: [image.node, '--max-old-space-size=64', '--max-semi-space-size=1', '-e', source],
    Cmd: [JSON.stringify(configuration)],
    Env: [],
    Labels: { ...labels },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: 'bridge',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: processes,
      Memory: memory,
      MemorySwap: memory,
      Ulimits: [{ Name: 'nofile', Soft: openFiles, Hard: openFiles }],
      // It must not pass on packages from one network to the other, only what it understands.
      Sysctls: { 'net.ipv4.ip_forward': '0', 'net.ipv4.ip_unprivileged_port_start': '0' },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 10 },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
    },
  };
}

/** The host is not to be reached, whatever name leads to it. Of an engine elsewhere we do not know them. */
async function hostAddresses(engine: Engine): Promise<readonly string[]> {
  const { endpoint } = await engine.client();
  if (endpoint.way.kind !== 'socket') return [];
  const all = Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));
  // Bridges of the engine come and go; their addresses are private anyway.
  return all
    .filter((address) => !/^(127\.|10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|198\.1[89]\.|::1$|fe80:)/.test(address))
    .sort();
}

const inspectSchema = z.object({
  Config: z.object({ Labels: z.nullable(z.record(z.string(), z.string())) }),
  State: z.object({ Running: z.boolean(), StartedAt: z.string() }),
});

async function inspect(engine: Engine, name: string): Promise<z.infer<typeof inspectSchema> | undefined> {
  try {
    const doing = { failed: `The gateway ${name} could not be looked at`, missing: 'container-not-found' } as const;
    return inspectSchema.parse(await engine.get(`/containers/${name}/json`, { ...doing, subject: name }));
  } catch (error) {
    if (hasCode(error, 'container-not-found')) return undefined;
    throw error;
  }
}

async function stateOf(engine: Engine, name: string): Promise<string | undefined> {
  return (await inspect(engine, name))?.Config.Labels?.[stateLabel];
}

/** Milliseconds it gets to serve. */
const patience = 60_000;

/** Resolves once it serves. Without one nothing happens: then there is no way out. Throws `not-isolated` when the host is in reach. */
export async function startGateway(engine: Engine, name: string): Promise<void> {
  if ((await inspect(engine, name)) === undefined) return;
  await engine.call({ failed: `The gateway ${name} could not be started` }, 120, async (docker, abortSignal) => {
    try {
      await docker.getContainer(name).start(abortSignal === undefined ? {} : { abortSignal });
    } catch (error) {
      if (statusOf(error) !== 304) throw error;
    }
  });
  const until = performance.now() + patience;
  for (;;) {
    const state = (await inspect(engine, name))?.State;
    const lines = state === undefined ? [] : await said(engine, name, `since=${secondsOf(state.StartedAt)}`);
    if (lines.some(({ ready }) => ready)) return;
    const failed = lines.find((line) => line.failed !== undefined)?.failed;
    if (failed !== undefined) throw notIsolated(failed);
    if (state === undefined || !state.Running || performance.now() > until) {
      throw new CoppiceError('unavailable', 'engine-error', `The gateway ${name} did not start.`, {
        hint: `\`docker logs ${name}\` may say why.`,
      });
    }
    await pause(20);
  }
}

/** For a container that runs: an engine that was started anew, or somebody else, may have left it alone. */
export async function keepGateway(engine: Engine, name: string): Promise<void> {
  const found = await inspect(engine, name);
  if (found !== undefined && !found.State.Running) await startGateway(engine, name);
}

/** What the engine's clock said, as its logs want to hear it. */
function secondsOf(time: string): string {
  const [, fraction = '0'] = /\.(\d+)/.exec(time) ?? [];
  return `${Math.floor(Date.parse(time) / 1000)}.${fraction.padEnd(9, '0').slice(0, 9)}`;
}

export function notIsolated(why: string): CoppiceError {
  return new CoppiceError('unavailable', 'not-isolated', `An allowlist cannot be kept with this engine: ${why}.`, {
    hint: 'Use Docker Engine, or --runtime sandbox; --network none needs no gateway.',
  });
}

export async function stopGateway(engine: Engine, name: string): Promise<void> {
  await engine.call({ failed: `The gateway ${name} could not be stopped` }, 60, async (docker, abortSignal) => {
    try {
      await docker.getContainer(name).stop({ t: 1, ...(abortSignal === undefined ? {} : { abortSignal }) });
    } catch (error) {
      if (![304, 404].includes(statusOf(error) ?? 0)) throw error;
    }
  });
}

const toldSchema = z.object({
  ready: z.optional(z.boolean()),
  failed: z.optional(z.string()),
  denied: z.optional(denialsSchema),
});

/** What its last line says: each has all that was denied since it started. */
export async function deniedBy(engine: Engine, name: string): Promise<Denials> {
  try {
    return (await said(engine, name, 'tail=1')).at(-1)?.denied ?? noDenials;
  } catch (error) {
    if (hasCode(error, 'container-not-found')) return noDenials;
    throw error;
  }
}

async function said(engine: Engine, name: string, which: string) {
  const doing = { failed: `The gateway ${name} could not be read`, missing: 'container-not-found' } as const;
  const log = await engine.bytes(`/containers/${name}/logs?stdout=1&${which}`, { ...doing, subject: name });
  return unframed(log)
    .split('\n')
    .flatMap((line) => (line.startsWith('{') ? [toldSchema.parse(JSON.parse(line))] : []));
}

/** A stream, three zeros and four bytes of length before each piece (Engine API, "Attach to a container"). */
function unframed(log: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= log.length; ) {
    const length = log.readUInt32BE(at + 4);
    pieces.push(log.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(pieces).toString('utf8');
}
