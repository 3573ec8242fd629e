/** Makes a container ready to be started, or leaves nothing behind. */
import { existsSync } from 'node:fs';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { allowedHosts, modeOf } from '../../domain/network.ts';
import type { Container, ContainerRequest } from '../runtime.ts';
import { addAccount } from './accounts.ts';
import { containerOptions, settingsOf } from './container-options.ts';
import type { Engine, EngineFacts } from './engine.ts';
import { imageNotFound, statusOf } from './engine-error.ts';
import { isRunning } from './inside.ts';
import type { Joining } from './joining.ts';

/** `join` makes what a container with an allowlist needs beside it. */
export async function createContainer(
  engine: Engine,
  request: ContainerRequest,
  join: (allow: readonly string[]) => Promise<Joining>,
): Promise<Container> {
  if (request.image === null) {
    throw new CoppiceError('usage', 'image-needed', 'A container needs an image.', { hint: 'Name one with --image.' });
  }
  await checkMounts(engine, request);
  const facts = await engine.facts();
  if (modeOf(request.network) === 'allowlist' && (await exists(engine, request.name))) throw nameTaken(request.name);
  const joining = modeOf(request.network) === 'allowlist' ? await join(allowedHosts(request.network)) : undefined;
  const { id, init } = await createInEngine(engine, request, facts, joining);
  try {
    await addAccount(engine, id, settingsOf(request, facts, init), request.user);
  } catch (error) {
    await removeContainer(engine, id);
    throw error;
  }
  return {
    id,
    name: request.name,
    labels: containerOptions(request, facts, init, joining).Labels ?? {},
    state: 'created',
    image: request.image,
    oomKilled: false,
  };
}

/** Forced, with its anonymous volumes. 404: gone already; 409: somebody else is removing it. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  await engine.call({ failed: `The container ${id} could not be removed` }, 120, async (docker, abortSignal) => {
    try {
      await docker.getContainer(id).remove({ force: true, v: true, abortSignal });
    } catch (error) {
      const status = statusOf(error);
      if (status !== 404 && status !== 409) throw error;
    }
  });
}

/** Docker says it at the creation, in words; Podman only at the start. An engine elsewhere has files of its own. */
async function checkMounts(engine: Engine, request: ContainerRequest): Promise<void> {
  const { endpoint } = await engine.client();
  const missing = request.mounts.find(({ source }) => !existsSync(source));
  if (missing === undefined || endpoint.way.kind !== 'socket') return;
  throw new CoppiceError('refused', 'mount-missing', `${missing.source}, which is to be mounted, does not exist.`, {
    data: { source: missing.source, target: missing.target },
  });
}

/** Podman refuses an init where its program for it (catatonit) is not installed; then it goes without. */
async function createInEngine(
  engine: Engine,
  request: ContainerRequest,
  facts: EngineFacts,
  joining: Joining | undefined,
): Promise<{ id: string; init: boolean }> {
  try {
    return { id: await createOnce(engine, request, containerOptions(request, facts, true, joining)), init: true };
  } catch (error) {
    if (!facts.podman || (error instanceof CoppiceError && error.code !== 'engine-error')) throw error;
    return { id: await createOnce(engine, request, containerOptions(request, facts, false, joining)), init: false };
  }
}

function createOnce(
  engine: Engine,
  request: ContainerRequest,
  options: ReturnType<typeof containerOptions>,
): Promise<string> {
  const doing = { failed: `The container ${request.name} could not be made` };
  return engine.call(doing, 120, async (docker, abortSignal) => {
    try {
      return (await docker.createContainer({ ...options, ...(abortSignal === undefined ? {} : { abortSignal }) })).id;
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) throw imageNotFound(request.image ?? '', 'the engine does not have it', error);
      if (status === undefined || !(await exists(engine, request.name))) throw error;
      throw nameTaken(request.name, error);
    }
  });
}

function nameTaken(name: string, cause?: unknown): CoppiceError {
  return new CoppiceError('refused', 'name-taken', `There is a container named ${name} already.`, {
    hint: 'Choose another name, or remove that container.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Asked, because Podman does not answer 409 to a taken name. */
async function exists(engine: Engine, name: string): Promise<boolean> {
  try {
    await isRunning(engine, name);
    return true;
  } catch (error) {
    if (hasCode(error, 'container-not-found')) return false;
    throw error;
  }
}
