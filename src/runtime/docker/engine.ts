/** The engine as the rest of the adapter uses it: found once, dockerode loaded late, every call with an end. */
import type Docker from 'dockerode';
import * as z from 'zod/mini';
import type { Surroundings } from '../../platform/surroundings.ts';
import { connect } from './connection.ts';
import type { EngineClient } from './engine-client.ts';
import { type Doing, translate } from './engine-error.ts';

export interface EngineFacts {
  readonly podman: boolean;
  /** `Docker Engine 28.2`, `Podman 5.4`. */
  readonly product: string;
  /** The engine runs as an ordinary user: uid 0 inside is the user outside. */
  readonly rootless: boolean;
  /** The init given to containers is tini, so that it can also guard each exec. */
  readonly reaper: boolean;
}

export interface Engine {
  readonly surroundings: Surroundings;
  client(): Promise<EngineClient>;
  facts(): Promise<EngineFacts>;
  /** A read over plain HTTP, without dockerode. */
  get(path: string, doing: Omit<Doing, 'address'>): Promise<unknown>;
  bytes(path: string, doing: Omit<Doing, 'address'>): Promise<Buffer>;
  /**
   * One call through dockerode. A connection cut after the response's head leaves dockerode's promise pending for ever,
   * so each call has a deadline, in seconds; `undefined` only for streams, whose own end is watched.
   */
  call<Result>(
    doing: Omit<Doing, 'address'>,
    seconds: number | undefined,
    body: (docker: Docker, abortSignal: AbortSignal | undefined) => Promise<Result>,
  ): Promise<Result>;
  close(): void;
}

export function makeEngine(surroundings: Surroundings): Engine {
  const client = once(() => connect(surroundings));
  const docker = once(async () => loadDocker(await client()));
  const facts = once(async () => readFacts(await client()));
  const translated = async <Result>(doing: Omit<Doing, 'address'>, body: () => Promise<Result>): Promise<Result> => {
    const { address } = (await client()).endpoint;
    try {
      return await body();
    } catch (error) {
      throw translate(error, { ...doing, address });
    }
  };
  return {
    surroundings,
    client,
    facts,
    get: async (path, doing) => {
      const found = await client();
      return translated(doing, () => found.get(path));
    },
    bytes: async (path, doing) => {
      const found = await client();
      return translated(doing, () => found.bytes(path));
    },
    call: async (doing, seconds, body) => {
      const loaded = await docker();
      const signal = seconds === undefined ? undefined : AbortSignal.timeout(seconds * 1000);
      return translated(doing, () => body(loaded, signal));
    },
    close: () => {
      client.forget((found) => found.close());
      docker.forget();
      facts.forget();
    },
  };
}

/** A promise made at the first call and kept, unless it fails: then the next call tries again. */
function once<Value>(make: () => Promise<Value>): (() => Promise<Value>) & {
  forget(use?: (value: Value) => void): void;
} {
  let kept: Promise<Value> | undefined;
  const get = () => {
    kept ??= make().catch((error: unknown) => {
      kept = undefined;
      throw error;
    });
    return kept;
  };
  const forget = (use?: (value: Value) => void) => {
    if (use !== undefined) kept?.then(use, () => undefined);
    kept = undefined;
  };
  return Object.assign(get, { forget });
}

/** docker-modem fills every option left out from process.env, so each is given, even where it says nothing. */
async function loadDocker({ endpoint: { way }, agent }: EngineClient): Promise<Docker> {
  const { default: Dockerode } = await import('dockerode');
  const connection = {
    protocol: way.kind === 'tcp' && way.tls !== undefined ? ('https' as const) : ('http' as const),
    host: way.kind === 'tcp' ? way.host : '',
    port: way.kind === 'tcp' ? way.port : undefined,
    socketPath: way.kind === 'socket' ? way.path : undefined,
    pathPrefix: '/',
    ca: undefined,
    cert: undefined,
    key: undefined,
    timeout: undefined,
    agent,
  };
  // Its types do not know that an option may be given as undefined, nor pathPrefix and agent.
  return new Dockerode(connection as Docker.DockerOptions);
}

const versionSchema = z.object({
  Version: z.string(),
  Components: z.optional(z.nullable(z.array(z.object({ Name: z.string(), Version: z.optional(z.string()) })))),
});
const infoSchema = z.object({
  SecurityOptions: z.optional(z.nullable(z.array(z.string()))),
  InitBinary: z.optional(z.string()),
  /** Podman's own word for it; its security options do not say. */
  Rootless: z.optional(z.boolean()),
});

async function readFacts(client: EngineClient): Promise<EngineFacts> {
  const [version, info] = await Promise.all([client.get('/version'), client.get('/info')]);
  const { Version, Components } = versionSchema.parse(version);
  const { SecurityOptions, InitBinary, Rootless } = infoSchema.parse(info);
  const podman = (Components ?? []).some(({ Name }) => Name.startsWith('Podman'));
  return {
    podman,
    product: `${podman ? 'Podman' : 'Docker Engine'} ${Version}`,
    rootless: Rootless === true || (SecurityOptions ?? []).some((each) => each.includes('rootless')),
    reaper: !podman && InitBinary === 'docker-init',
  };
}
