/** Docker Engine and Podman, through dockerode. */
import type Docker from 'dockerode';
import type { Surroundings } from '../../platform/surroundings.ts';
import type { InsideLayout, Progress, Runtime, RuntimeFacts } from '../runtime.ts';
import { type BaseImageRequest, buildBaseImage } from './base-image.ts';
import { createContainer, removeContainer } from './create-container.ts';
import { type Engine, makeEngine } from './engine.ts';
import { statusOf } from './engine-error.ts';
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
    layout: async () => layout,
    prepareImage: (reference: string, report: (progress: Progress) => void, signal?: AbortSignal) =>
      prepareImage(engine, reference, report, signal),
    create: (request) => createContainer(engine, request),
    start: (id) => change(engine, id, 'started', (container, options) => container.start(options)),
    stop: (id) => change(engine, id, 'stopped', (container, options) => container.stop({ t: stopGrace, ...options })),
    remove: async (id) => {
      insides.delete(id);
      await removeContainer(engine, id);
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
