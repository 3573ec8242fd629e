/** Docker Engine and Podman, through dockerode. */
import type Docker from 'dockerode';
import { hasCode } from '../../domain/error.ts';
import { modeOf } from '../../domain/network.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import type { InsideLayout, Progress, Runtime, RuntimeFacts } from '../runtime.ts';
import { type BaseImageRequest, buildBaseImage } from './base-image.ts';
import {
  allowBeside,
  deniedBeside,
  keepBeside,
  makeBeside,
  removeBeside,
  startBeside,
  stopBeside,
  sweepBeside,
} from './beside.ts';
import { createContainer, removeContainer } from './create-container.ts';
import { type Engine, makeEngine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import { startExec } from './exec.ts';
import type { GatewayProgram } from './gateway-image.ts';
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
export function dockerRuntime(surroundings: Surroundings, gateway?: GatewayProgram): DockerRuntime {
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
    create: async (request) => {
      try {
        return await createContainer(engine, request, (allow) => makeBeside(engine, gateway, request, allow));
      } catch (error) {
        const mine = modeOf(request.network) === 'allowlist' && !hasCode(error, 'name-taken');
        if (mine) await removeBeside(engine, request.name);
        throw error;
      }
    },
    start: async (id) => startTogether(engine, await insideOf(id)),
    stop: async (id) => {
      await stopContainer(engine, id);
      await stopBeside(engine, await insideOf(id));
    },
    remove: async (id) => {
      const inside = await ifThere(insideOf(id));
      insides.delete(id);
      await removeContainer(engine, id);
      if (inside?.addresses !== undefined) await removeBeside(engine, inside.name);
    },
    allow: async (id, hosts) => allowBeside(engine, gateway, await insideOf(id), hosts),
    denied: async (id) => deniedBeside(engine, await insideOf(id)),
    sweep: (labels) => sweepBeside(engine, labels),
    list: (labels) => listContainers(engine, labels),
    exec: async (id, request) => {
      const inside = await insideOf(id);
      whoIs(inside, request.root ?? false);
      await keepBeside(engine, inside);
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

/**
 * Side by side: nothing but the keeper runs inside before this returns. Where the gateway finds that it cannot keep its
 * promise, the container does not run either.
 */
async function startTogether(engine: Engine, inside: Inside): Promise<void> {
  const starting = change(engine, inside.id, 'started', (container, options) => container.start(options));
  const [own, beside] = await Promise.allSettled([starting, startBeside(engine, inside)]);
  if (own.status === 'rejected') throw own.reason;
  if (beside.status === 'fulfilled') return;
  await stopContainer(engine, inside.id);
  throw beside.reason;
}

function stopContainer(engine: Engine, id: string): Promise<void> {
  return change(engine, id, 'stopped', (container, options) => container.stop({ t: stopGrace, ...options }));
}

async function ifThere(reading: Promise<Inside>): Promise<Inside | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (hasCode(error, 'container-not-found') || hasCode(error, 'foreign-container')) return undefined;
    throw error;
  }
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
