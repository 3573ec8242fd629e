/** Runs one command in a container. Its end is what the engine says about it, never the end of a stream. */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { PassThrough, type Readable, Writable } from 'node:stream';
import type Docker from 'dockerode';
import { CoppiceError } from '../../domain/error.ts';
import type { ExecEnd, ExecRequest, Execution } from '../runtime.ts';
import { demux } from './demux.ts';
import { endTree, signalCommand } from './end-tree.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import { execState, type Inside, whoIs } from './inside.ts';
import { startGate } from './start-gate.ts';

/** Bytes each output holds before the command is held back. */
const highWaterMark = 65_536;
/** After the end, a quiet stream of this age, in milliseconds, is only kept open by a background child. */
const quietAfterEnd = 300;
/** After the end, more bytes than any buffer on the way holds (the engine's is 1 MB) are a background child's. */
const bytesAfterEnd = 8 * 2 ** 20;

export async function startExec(engine: Engine, inside: Inside, request: ExecRequest): Promise<Execution> {
  if (request.signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', 'The command was interrupted.');
  const mark = `COPPICE_EXEC=${randomUUID()}`;
  const exec = await createExec(engine, inside, request, mark);
  const connection = await open(engine, inside, exec, request);
  const framed = request.terminal === undefined;
  const gate = startGate(highWaterMark);
  const plain = new PassThrough({ highWaterMark });
  // Where a failed start would be said: on stderr, or on the one stream of a terminal.
  const [stdout, stderr] = framed ? [plain, gate.stream] : [gate.stream, plain];
  const streams = demux(connection, stdout, framed ? stderr : undefined);
  if (request.terminal !== undefined) await resize(engine, exec, request.terminal);

  let ending: Promise<void> | undefined;
  let over = false;
  const endAll = () => {
    ending ??= over ? Promise.resolve() : endTree(engine, inside, exec, mark, request.root ?? false);
    ending.catch(() => undefined);
  };
  let timedOut = false;
  const timer =
    request.timeoutSeconds === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          endAll();
        }, request.timeoutSeconds * 1000);
  request.signal?.addEventListener('abort', endAll, { once: true });
  if (request.signal?.aborted) endAll();

  const finish = async (): Promise<ExecEnd> => {
    try {
      const status = await ended(engine, exec, streams.done);
      over = true;
      await ending;
      await settled(streams, connection);
      const failed = await failedStart(engine, inside, request, status, streams.unframed(), gate.held());
      gate.decide(failed === undefined ? 'pass' : 'drop');
      if (timedOut) return { status: 124, timedOut, failedToStart: undefined };
      return failed ?? { status, timedOut, failedToStart: undefined };
    } finally {
      over = true;
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', endAll);
      connection.destroy();
      stdout.end();
      stderr.end();
    }
  };
  const end = finish();
  // Whoever reads only the outputs must not be ended by a rejection nobody waits for.
  end.catch(() => undefined);
  return {
    stdin: request.stdin ? stdinOf(connection) : undefined,
    stdout,
    stderr,
    end,
    resize: (size) => resize(engine, exec, size),
    signal: async (name) => {
      if (!over) await signalCommand(engine, inside, exec, mark, request.root ?? false, name);
    },
  };
}

function createExec(engine: Engine, inside: Inside, request: ExecRequest, mark: string): Promise<Docker.Exec> {
  const { user, home } = whoIs(inside, request.root ?? false);
  const environment = { HOME: home, ...(request.terminal ? { TERM: 'xterm-256color' } : {}), ...request.environment };
  const doing = { failed: `The command ${request.command[0] ?? ''} could not be started`, ...inside.doing };
  return engine.call(doing, 30, async (docker, abortSignal) => {
    try {
      return await docker.getContainer(inside.id).exec({
        Cmd: [...inside.guard, ...request.command],
        User: user,
        Env: [...Object.entries(environment).map(([name, value]) => `${name}=${value}`), mark],
        ...(request.workdir === undefined ? {} : { WorkingDir: request.workdir }),
        AttachStdin: request.stdin ?? false,
        AttachStdout: true,
        AttachStderr: true,
        Tty: request.terminal !== undefined,
        ...(request.terminal === undefined ? {} : { ConsoleSize: [request.terminal.rows, request.terminal.columns] }),
        ...(abortSignal === undefined ? {} : { abortSignal }),
      });
    } catch (error) {
      if (statusOf(error) === 409) throw notRunning(inside.name, error);
      throw error;
    }
  });
}

function notRunning(name: string, cause: unknown): CoppiceError {
  return new CoppiceError('refused', 'container-not-running', `The container ${name} does not run.`, {
    hint: 'Start the environment first.',
    cause,
  });
}

function open(engine: Engine, inside: Inside, exec: Docker.Exec, request: ExecRequest): Promise<Duplex> {
  const doing = { failed: `The command ${request.command[0] ?? ''} could not be started`, ...inside.doing };
  return engine.call(doing, undefined, async () => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 30_000);
    try {
      const options = { hijack: true, stdin: request.stdin ?? false, Tty: request.terminal !== undefined };
      const connection = await exec.start({ ...options, abortSignal: abort.signal });
      connection.on('error', () => undefined);
      return connection;
    } finally {
      clearTimeout(timer);
    }
  });
}

/** Only after the start: before it the engine refuses. Podman answers 201, which dockerode takes for an error. */
async function resize(engine: Engine, exec: Docker.Exec, size: { rows: number; columns: number }): Promise<void> {
  await engine.call({ failed: 'The terminal could not be resized' }, 10, async (_, abortSignal) => {
    try {
      await exec.resize({ h: size.rows, w: size.columns, ...(abortSignal === undefined ? {} : { abortSignal }) });
    } catch (error) {
      // A command that ended meanwhile has no terminal left to resize.
      const status = statusOf(error);
      if (status !== 201 && status !== 404 && status !== 409 && status !== 500) throw error;
    }
  });
}

/** The command's status. The end of its stream only says that now is a good time to ask. */
async function ended(engine: Engine, exec: Docker.Exec, hint: Promise<void>): Promise<number> {
  let hinted = false;
  const noticed = hint.then(() => {
    hinted = true;
  });
  for (let pause = 50, soon = 5; ; ) {
    const state = await execState(engine, exec);
    if (!state.running) return state.status;
    if (hinted) {
      await delay(soon);
      soon = Math.min(soon * 1.5, 500);
    } else {
      await Promise.race([noticed, delay(pause)]);
      pause = Math.min(pause * 1.5, 1_000);
    }
  }
}

/** Lets what is under way arrive. A background child may hold the stream open for ever, or write to it for ever. */
async function settled(streams: ReturnType<typeof demux>, connection: Readable): Promise<void> {
  let done = false;
  const finished = streams.done.then(() => {
    done = true;
  });
  const limit = streams.received() + bytesAfterEnd;
  const since = performance.now();
  while (!done) {
    await Promise.race([finished, delay(25)]);
    const quiet = performance.now() - Math.max(since, streams.lastArrival());
    if (!streams.isHeldBack() && (quiet > quietAfterEnd || streams.received() > limit)) break;
  }
  connection.destroy();
  await finished;
}

/** The command's end if it never ran, with the words about it taken off the outputs. */
async function failedStart(
  engine: Engine,
  inside: Inside,
  request: ExecRequest,
  status: number,
  unframed: Buffer,
  held: string | undefined,
): Promise<ExecEnd | undefined> {
  if (status !== 126 && status !== 127) return undefined;
  const engineSays =
    unframed.length > 0 ? unframed.toString('utf8').trim() : held?.startsWith('OCI') ? held : undefined;
  if (engineSays !== undefined) {
    if (request.workdir !== undefined && !(await isDirectory(engine, inside, request.workdir))) {
      return { status: 126, timedOut: false, failedToStart: 'bad-workdir' };
    }
    if (inside.guard.length === 0) return failedCommand(status);
    throw new CoppiceError('unavailable', 'engine-error', `The command could not be started: ${engineSays}`, {
      hint: 'The environment may be at its limit of processes or memory; stop and start it.',
    });
  }
  return held === undefined ? undefined : failedCommand(status);
}

function failedCommand(status: number): ExecEnd {
  return { status, timedOut: false, failedToStart: status === 127 ? 'not-found' : 'not-executable' };
}

async function isDirectory(engine: Engine, inside: Inside, path: string): Promise<boolean> {
  return engine.call({ failed: `${path} could not be looked at` }, 20, async (docker, abortSignal) => {
    try {
      // The trailing slash makes anything but a directory an error.
      await docker.getContainer(inside.id).infoArchive({ path: `${path}/`, abortSignal });
      return true;
    } catch (error) {
      if (statusOf(error) !== undefined) return false;
      throw error;
    }
  });
}

/** Writing after the command's end is no error: its status says what happened. */
function stdinOf(connection: Duplex): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      if (connection.writable) connection.write(chunk, () => done());
      else done();
    },
    final(done) {
      if (connection.writable) connection.end(() => done());
      else done();
    },
  });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
