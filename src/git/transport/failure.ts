/** Turns the end of a conversation into the error it means. */
import { oneLine } from '../../domain/checkpoint.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Ended, Limits } from './conversation.ts';

/** What a check of git's says, one line for each object: `error: object <name>: <id>: …`, ids as in git-fsck(1). */
const objection = /^error: object ([0-9a-f]+): (\w+): /m;

/** What git says where an object is larger than `GIT_ALLOC_LIMIT` (its wrapper.c). */
const tooLarge = /attempting to allocate (\d+) over limit/;

export function failure(ended: Ended, direction: 'into' | 'out of', limits: Limits): CoppiceError {
  const data = {
    status: ended.status,
    stopped: ended.stopped,
    stderr: ended.stderr.slice(-2_000),
    inside: ended.insideStderr.slice(-2_000),
  };
  if (ended.stopped === 'too-large') {
    const most = `${Math.round(limits.bytes / 2 ** 20)} MiB`;
    return new CoppiceError('refused', 'transport-too-large', `More than ${most} came out of the environment.`, {
      hint: 'Make the commits inside smaller: large build products do not belong into git.',
      data: { ...data, limit: limits.bytes },
    });
  }
  const [, size] = tooLarge.exec(ended.stderr) ?? [];
  if (direction === 'out of' && size !== undefined) {
    const [one, most] = [Number(size), limits.objectBytes].map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`);
    return new CoppiceError(
      'refused',
      'transport-too-large',
      `A single object of ${one} came out of the environment; ${most} is the most.`,
      {
        hint: 'Take the file out of the commits inside: large build products do not belong into git.',
        data: { ...data, limit: limits.objectBytes },
      },
    );
  }
  const [, object, check] = objection.exec(ended.stderr) ?? [];
  if (direction === 'out of' && object !== undefined) {
    return new CoppiceError(
      'refused',
      'hostile-objects',
      `The environment's git directory holds an object that could do harm (${check ?? ''}); nothing was taken from it.`,
      { hint: `Remove the commits with object ${object} inside.`, data: { ...data, object, check } },
    );
  }
  const said = ended.stopped === 'too-long' ? 'it took too long' : lastWords(ended);
  return new CoppiceError(
    'unavailable',
    'transport-failed',
    `Git could not bring commits ${direction} the environment: ${said}.`,
    {
      hint:
        direction === 'into'
          ? 'Check that git works inside. While the environment is stopped, commits are made on the host, without its hooks.'
          : 'Check that the environment runs and that its image has git.',
      data,
      cause: ended.cut,
    },
  );
}

function lastWords(ended: Ended): string {
  const lines = `${ended.insideStderr}\n${ended.stderr}`.split('\n').filter((line) => line.trim() !== '');
  return oneLine(lines.slice(-2).join('; '), 300) || `status ${ended.status}`;
}
