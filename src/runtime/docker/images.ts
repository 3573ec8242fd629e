/** Makes sure that an image is there, and follows what the engine says while it pulls or imports one. */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import * as z from 'zod/mini';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import type { Progress } from '../runtime.ts';
import { credentialsFor } from './credentials.ts';
import type { Engine } from './engine.ts';
import { imageNotFound } from './engine-error.ts';

export async function hasImage(engine: Engine, reference: string): Promise<boolean> {
  const doing = { failed: `The image ${reference} could not be looked at`, missing: 'image-not-found' } as const;
  try {
    // Slashes stay: the engine's route takes the rest of the path as the name.
    const name = reference.split('/').map(encodeURIComponent).join('/');
    await engine.get(`/images/${name}/json`, { ...doing, subject: reference });
    return true;
  } catch (error) {
    if (hasCode(error, 'image-not-found')) return false;
    throw error;
  }
}

/** Does not touch the network when the image is there. */
export async function prepareImage(
  engine: Engine,
  reference: string,
  report: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<void> {
  if (await hasImage(engine, reference)) return;
  report({ message: `Pulling ${reference}` });
  const tagged = withTag(reference);
  const doing = { failed: `The image ${reference} could not be pulled`, missing: 'image-not-found' } as const;
  // Under the name that "docker login" used too: the engine knows it.
  const defaultRegistry = async () => {
    const asking = { failed: 'The engine did not say which registry is its own', subject: reference };
    const info = await engine.call(asking, 30, (docker) => docker.info());
    return (info as { readonly IndexServerAddress?: string }).IndexServerAddress;
  };
  const authconfig = await credentialsFor(engine.surroundings, reference, defaultRegistry);
  try {
    await engine.call({ ...doing, subject: reference }, undefined, async (docker) => {
      const stream = await docker.pull(tagged, {
        ...(authconfig === undefined ? {} : { authconfig }),
        ...(signal === undefined ? {} : { abortSignal: signal }),
      });
      const layers = layerProgress(reference, report);
      const failure = await follow(docker, stream, layers, signal);
      if (failure !== undefined) throw imageNotFound(reference, failure);
    });
  } catch (error) {
    if (signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', `Pulling ${reference} was interrupted.`);
    // Whatever the engine could not do on the way to the registry, to the caller the image is not there.
    if (hasCode(error, 'engine-error')) throw imageNotFound(reference, String(error.data.words), error);
    throw error;
  }
  if (!(await hasImage(engine, reference))) throw imageNotFound(reference, 'the pull ended early');
}

/** Without a tag the engine would pull every tag there is. */
export function withTag(reference: string): string {
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  return last.includes(':') || reference.includes('@') ? reference : `${reference}:latest`;
}

const eventSchema = z.object({
  id: z.optional(z.string()),
  status: z.optional(z.string()),
  error: z.optional(z.string()),
  progressDetail: z.optional(z.object({ current: z.optional(z.number()), total: z.optional(z.number()) })),
});
type Event = z.infer<typeof eventSchema>;

/** To the end of the stream. Resolves to the engine's words if it failed: they come inside a successful answer. */
export function follow(
  docker: Docker,
  stream: NodeJS.ReadableStream,
  onEvent: (event: Event) => void = () => undefined,
  signal?: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let failure: string | undefined;
    const abort = () => (stream as Readable).destroy(new Error('aborted'));
    signal?.addEventListener('abort', abort, { once: true });
    docker.modem.followProgress(
      stream,
      (error: Error | null) => {
        signal?.removeEventListener('abort', abort);
        if (error === null) resolve(failure);
        else reject(error);
      },
      (said: unknown) => {
        const event = eventSchema.safeParse(said);
        if (!event.success) return;
        failure ??= event.data.error;
        onEvent(event.data);
      },
    );
  });
}

/** Adds the layers up. Only what people would see is reported: whole megabytes. */
function layerProgress(reference: string, report: (progress: Progress) => void): (event: Event) => void {
  const layers = new Map<string, { current: number; total: number }>();
  let last = '';
  return ({ id, status, progressDetail }) => {
    if (id === undefined || status !== 'Downloading' || !progressDetail?.total) return;
    layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
    const current = sum(layers, 'current');
    const total = sum(layers, 'total');
    const message = `Pulling ${reference}: ${Math.floor(current / 1e6)} of ${Math.ceil(total / 1e6)} MB`;
    if (message !== last) report({ message, fraction: current / total });
    last = message;
  };
}

function sum(layers: ReadonlyMap<string, { current: number; total: number }>, key: 'current' | 'total'): number {
  return [...layers.values()].reduce((total, layer) => total + layer[key], 0);
}

/**
 * Makes an image of a tar archive; resolves to the engine's words if that fails. It is named only when `complete` says that the archive was whole. Named by its
 * identifier: Podman ignores the name given along with the archive.
 */
export async function importImage(
  docker: Docker,
  archive: NodeJS.ReadableStream,
  name: { readonly repository: string; readonly tag: string },
  changes: readonly string[],
  complete: Promise<boolean>,
): Promise<string | undefined> {
  let id: string | undefined;
  const failure = await follow(docker, await docker.importImage(archive, { changes }), ({ status }) => {
    if (status !== undefined && /^(sha256:)?[0-9a-f]{64}$/.test(status)) id = status;
  });
  if (failure !== undefined) return failure;
  if (id === undefined) return 'the engine does not say which image it made';
  if (await complete) await docker.getImage(id).tag({ repo: name.repository, tag: name.tag });
  else await docker.getImage(id).remove({ force: true });
  return (await complete) ? undefined : 'the archive is incomplete';
}
