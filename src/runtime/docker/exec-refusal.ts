/** Why the engine could not start a command at all. Its words are on the command's outputs, where they do not belong. */
import type { Readable } from 'node:stream';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CoppiceError } from '../../domain/error.ts';
import type { ExecEnd, ExecRequest } from '../runtime.ts';
import { demux } from './demux.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import type { Inside } from './inside.ts';

export async function refusedStart(
  engine: Engine,
  inside: Inside,
  request: ExecRequest,
  connection: Readable,
  status: number,
): Promise<ExecEnd> {
  const words = await read(connection, request.terminal !== undefined);
  const failure = await failureOf(engine, inside, request, status);
  // Under the guard it is the guard who cannot find a command, so this is something else.
  const known = inside.guard.length === 0 && (status === 126 || status === 127);
  if (known || failure.failedToStart === 'bad-workdir') return failure;
  throw new CoppiceError('unavailable', 'engine-error', `${request.command[0]} could not be started: ${words}`, {
    hint: 'The environment may be at its limit of processes or memory: stop and start it.',
  });
}

/** What is the matter with a command that was not started, by the status that stands for it. */
export async function failureOf(
  engine: Engine,
  inside: Inside,
  { workdir }: ExecRequest,
  status: number,
): Promise<ExecEnd> {
  const failed = { timedOut: false, oomKilled: false } as const;
  if (workdir !== undefined && !(await isDirectory(engine, inside, workdir)))
    return { ...failed, status: 126, failedToStart: 'bad-workdir' };
  return { ...failed, status, failedToStart: status === 127 ? 'not-found' : 'not-executable' };
}

async function read(connection: Readable, terminal: boolean): Promise<string> {
  const timer = setTimeout(() => connection.destroy(), 5_000);
  const out = new PassThrough();
  try {
    const words = text(out);
    await demux(connection, out, terminal ? undefined : out).done;
    out.end();
    return (await words).trim();
  } finally {
    clearTimeout(timer);
    connection.destroy();
  }
}

function isDirectory(engine: Engine, inside: Inside, path: string): Promise<boolean> {
  return engine.call({ failed: `${path} could not be looked at` }, 20, async (docker, abortSignal) => {
    try {
      // With a slash at its end, anything but a directory is an error.
      await docker.getContainer(inside.id).infoArchive({ path: `${path}/`, abortSignal });
      return true;
    } catch (error) {
      if (statusOf(error) !== undefined) return false;
      throw error;
    }
  });
}
