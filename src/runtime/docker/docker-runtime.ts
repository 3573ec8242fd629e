/** Docker Engine and Podman, through dockerode. */
import { existsSync } from 'node:fs';
import type Docker from 'dockerode';
import { CoppiceError } from '../../domain/error.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import type { Container, ContainerRequest, InsideLayout, Progress, Runtime, RuntimeFacts } from '../runtime.ts';
import { addAccount } from './accounts.ts';
import { type BaseImageRequest, buildBaseImage } from './base-image.ts';
import { containerOptions, settingsOf } from './container-options.ts';
import { type Engine, makeEngine } from './engine.ts';
import { imageNotFound, statusOf } from './engine-error.ts';
import { startExec } from './exec.ts';
import { prepareImage } from './images.ts';
import { type Inside, readInside, whoIs } from './inside.ts';
import { listContainers } from './list.ts';

/** Seconds processes have between TERM and KILL when a container stops. The keeper leaves at once. */
const stopGrace = 2;

const layout: InsideLayout = {
  tree: '/workspace',
  git: '/coppice/git',
  base: '/coppice/base.git',
  home: '/coppice/home',
  mountsGitFile: true,
};

export interface DockerRuntime extends Runtime {
  /** An image from this machine's own programs; see base-image.ts. Resolves to its reference. */
  buildBaseImage(request: BaseImageRequest): Promise<string>;
}

/** Nothing is asked before the first call. */
export function dockerRuntime(surroundings: Surroundings): DockerRuntime {
  const engine = makeEngine(surroundings);
  // What a container was made with never changes, so it is asked for once.
  const insides = new Map<string, Inside>();
  const insideOf = async (id: string): Promise<Inside> => {
    const known = insides.get(id);
    if (known !== undefined) return known;
    const inside = await readInside(engine, id);
    insides.set(inside.id, inside);
    return inside;
  };
  return {
    kind: 'docker',
    probe: () => probe(engine),
    layout: () => layout,
    prepareImage: (reference: string, report: (progress: Progress) => void, signal?: AbortSignal) =>
      prepareImage(engine, reference, report, signal),
    create: (request) => create(engine, request),
    start: (id) => change(engine, id, 'started', (container, options) => container.start(options)),
    stop: (id) => change(engine, id, 'stopped', (container, options) => container.stop({ t: stopGrace, ...options })),
    remove: async (id) => {
      insides.delete(id);
      await remove(engine, id);
    },
    list: (labels) => listContainers(engine, labels),
    exec: async (id, request) => {
      const inside = await insideOf(id);
      whoIs(inside, request.root ?? false);
      return startExec(engine, inside, request);
    },
    buildBaseImage: (request) => buildBaseImage(engine, request),
    close: async () => engine.close(),
  };
}

async function probe(engine: Engine): Promise<RuntimeFacts> {
  const [{ endpoint }, { product, rootless }] = await Promise.all([engine.client(), engine.facts()]);
  const description = `${product}${rootless ? ' (rootless)' : ''} at ${endpoint.address}`;
  return { kind: 'docker', description, isolated: true, images: true };
}

/** 304 says that it is so already. */
async function change(
  engine: Engine,
  id: string,
  done: string,
  body: (container: Docker.Container, options: { readonly abortSignal?: AbortSignal }) => Promise<unknown>,
): Promise<void> {
  const doing = {
    failed: `The container ${id} could not be ${done}`,
    missing: 'container-not-found',
    subject: id,
  } as const;
  await engine.call(doing, 120, async (docker, abortSignal) => {
    try {
      await body(docker.getContainer(id), abortSignal === undefined ? {} : { abortSignal });
    } catch (error) {
      if (statusOf(error) !== 304) throw error;
    }
  });
}

/** 404: gone already; 409: somebody else is removing it. */
async function remove(engine: Engine, id: string): Promise<void> {
  await engine.call({ failed: `The container ${id} could not be removed` }, 120, async (docker, abortSignal) => {
    try {
      await docker.getContainer(id).remove({ force: true, v: true, abortSignal });
    } catch (error) {
      const status = statusOf(error);
      if (status !== 404 && status !== 409) throw error;
    }
  });
}

async function create(engine: Engine, request: ContainerRequest): Promise<Container> {
  if (request.image === null) {
    throw new CoppiceError('usage', 'image-needed', 'A container needs an image.', { hint: 'Name one with --image.' });
  }
  const facts = await engine.facts();
  const { id, init } = await createInEngine(engine, request, facts.podman);
  try {
    await addAccount(engine, id, settingsOf(request, facts, init), request.user);
  } catch (error) {
    await remove(engine, id);
    throw error;
  }
  return {
    id,
    name: request.name,
    labels: containerOptions(request, facts, init).Labels ?? {},
    state: 'created',
    image: request.image,
    oomKilled: false,
  };
}

/** Podman refuses an init where its program for it (catatonit) is not installed; then it goes without. */
async function createInEngine(
  engine: Engine,
  request: ContainerRequest,
  podman: boolean,
): Promise<{ id: string; init: boolean }> {
  try {
    return { id: await createOnce(engine, request, true), init: true };
  } catch (error) {
    if (!podman || (error instanceof CoppiceError && error.code !== 'engine-error')) throw error;
    return { id: await createOnce(engine, request, false), init: false };
  }
}

async function createOnce(engine: Engine, request: ContainerRequest, init: boolean): Promise<string> {
  const facts = await engine.facts();
  const options = containerOptions(request, facts, init);
  const image = request.image ?? '';
  const doing = {
    failed: `The container ${request.name} could not be made`,
    missing: 'image-not-found',
    subject: image,
  } as const;
  return engine.call(doing, 120, async (docker, abortSignal) => {
    try {
      return (await docker.createContainer({ ...options, ...(abortSignal === undefined ? {} : { abortSignal }) })).id;
    } catch (error) {
      throw refusalOf(error, request) ?? error;
    }
  });
}

/** The refusals that have a better explanation than the engine's. */
function refusalOf(error: unknown, request: ContainerRequest): CoppiceError | undefined {
  const status = statusOf(error);
  if (status === 404) return imageNotFound(request.image ?? '', 'the engine does not have it', error);
  if (status === 409) {
    return new CoppiceError('refused', 'name-taken', `There is a container named ${request.name} already.`, {
      hint: 'Choose another name, or remove that container.',
      cause: error,
    });
  }
  const missing = request.mounts.find(({ source }) => !existsSync(source));
  if (status === undefined || missing === undefined) return undefined;
  return new CoppiceError('refused', 'mount-missing', `${missing.source}, to be mounted, does not exist.`, {
    data: { source: missing.source, target: missing.target },
    cause: error,
  });
}
