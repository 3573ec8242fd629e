/** What the engine or the connection to it says, as one of our errors. The only place that knows the engine's words. */
import { CoppiceError } from '../../domain/error.ts';

/** What was being done: a sentence's start, and what a 404 means there. */
export interface Doing {
  /** `Container x could not be started`. */
  readonly failed: string;
  readonly missing?: 'container-not-found' | 'image-not-found';
  /** The container or image meant. */
  readonly subject?: string;
  readonly address: string;
}

export function translate(error: unknown, doing: Doing): unknown {
  if (error instanceof CoppiceError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  if (status === undefined) return isConnectionError(error) ? unreachable(error, doing) : error;
  const words = wordsOf(error);
  const details = { data: { status, subject: doing.subject, words }, cause: error };
  if (/no space left on device|disk quota exceeded/i.test(words)) {
    return new CoppiceError('unavailable', 'disk-full', `${doing.failed}: the engine's disk is full.`, {
      ...details,
      hint: 'Free space, for example with "coppice prune" or "docker system prune".',
    });
  }
  if (status === 404 && doing.missing === 'container-not-found') {
    return new CoppiceError(
      'not-found',
      'container-not-found',
      `The container ${doing.subject} does not exist.`,
      details,
    );
  }
  if (status === 404 && doing.missing === 'image-not-found') return imageNotFound(doing.subject ?? '', words, error);
  return new CoppiceError('unavailable', 'engine-error', `${doing.failed}: ${words}`, details);
}

export function imageNotFound(reference: string, words: string, cause?: unknown): CoppiceError {
  const local = isLocalReference(reference);
  return new CoppiceError('unavailable', 'image-not-found', `The image ${reference} is not there: ${words}`, {
    hint: local
      ? 'It is a local name: build or import it under this name first.'
      : 'Check the name and the network; a private image needs "docker login" first. Without a registry: --image machine.',
    data: { image: reference },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Whether the registry a reference names is this machine. */
export function isLocalReference(reference: string): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?\//.test(reference);
}

/** The HTTP status, where the engine answered at all. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

function wordsOf(error: Error): string {
  const json = 'json' in error ? error.json : undefined;
  if (typeof json === 'object' && json !== null && 'message' in json) return String(json.message).trim();
  // docker-modem puts the status before them.
  return error.message.replace(/^\(HTTP code \d+\) .*? - /, '').trim();
}

function isConnectionError(error: Error): boolean {
  return error.name === 'AbortError' || error.name === 'TimeoutError' || 'code' in error || 'errno' in error;
}

function unreachable(error: Error, doing: Doing): CoppiceError {
  const late = error.name === 'AbortError' || error.name === 'TimeoutError';
  const reason = late ? 'it did not answer in time' : error.message;
  return new CoppiceError(
    'unavailable',
    'engine-unreachable',
    `${doing.failed}: the engine at ${doing.address} is gone (${reason}).`,
    { hint: 'Look whether the engine still runs, then try again.', data: { address: doing.address }, cause: error },
  );
}
