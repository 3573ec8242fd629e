/** Runs one command in a container. Its end is what the engine says about it, never the end of a stream. */
import { randomUUID } from 'node:crypto';
import { type Duplex, PassThrough, Writable } from 'node:stream';
import type Docker from 'dockerode';
import { CoppiceError } from '../../domain/error.ts';
import type { ExecEnd, ExecRequest, Execution } from '../runtime.ts';
import { type Demuxed, demux } from './demux.ts';
import { endTree, signalCommand } from './end-tree.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import { refusedStart } from './exec-refusal.ts';
import { type ExecState, execState, type Inside, isRunning, whoIs } from './inside.ts';
import { startGate } from './start-gate.ts';

/** Bytes each output holds before the command is held back. */
const highWaterMark = 65_536;
/** After the end, a stream that has been quiet for so many milliseconds is only kept open by a background child. */
const quietAfterEnd = 300;
/** After the end, more bytes than any buffer on the way holds (the engine's is 1 MB) are a background child's. */
const bytesAfterEnd = 8 * 2 ** 20;

/** One exec of the engine, its connection open. */
interface Running {
  readonly engine: Engine;
  readonly inside: Inside;
  readonly request: ExecRequest;
  readonly exec: Docker.Exec;
  readonly connection: Duplex;
  /** Its mark: an environment variable by which its process is found inside. */
  readonly mark: string;
}

export async function startExec(engine: Engine, inside: Inside, request: ExecRequest): Promise<Execution> {
  if (request.signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', 'The command was interrupted.');
  const mark = `COPPICE_EXEC=${randomUUID()}`;
  const exec = await createExec(engine, inside, request, mark);
  const connection = await open(engine, inside, exec, request);
  const running: Running = { engine, inside, request, exec, connection, mark };
  try {
    const state = await started(engine, exec);
    if (!state.started) return neverStarted(await refusedStart(engine, inside, request, connection, state.status));
    if (request.terminal !== undefined) await resize(running, request.terminal);
    return follow(running);
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Joins the outputs, and watches for the end, the time limit and the abort. */
function follow(running: Running): Execution {
  const { engine, inside, request, exec, connection, mark } = running;
  const root = request.root ?? false;
  const framed = request.terminal === undefined;
  const gate = startGate(highWaterMark);
  const plain = new PassThrough({ highWaterMark });
  const [stdout, stderr] = framed ? [plain, gate.stream] : [gate.stream, plain];
  const streams = demux(connection, stdout, framed ? stderr : undefined);

  let over = false;
  let ending: Promise<void> | undefined;
  const endAll = () => {
    if (over) return;
    ending ??= endTree(engine, inside, exec, mark, root);
    // Awaited below, once the command has ended.
    ending.catch(() => undefined);
  };
  const limit = timeLimit(request.timeoutSeconds, endAll);
  request.signal?.addEventListener('abort', endAll, { once: true });
  if (request.signal?.aborted) endAll();

  const finish = async (): Promise<ExecEnd> => {
    try {
      const status = await ended(engine, exec, streams.done);
      over = true;
      await ending;
      await settled(streams, connection);
      if (limit.passed()) return { status: 124, timedOut: true, failedToStart: undefined };
      const failed = (status === 126 || status === 127) && inside.guard.length > 0 && gate.drop();
      const reason = status === 127 ? 'not-found' : 'not-executable';
      return { status, timedOut: false, failedToStart: failed ? reason : undefined };
    } finally {
      over = true;
      limit.clear();
      request.signal?.removeEventListener('abort', endAll);
      connection.destroy();
      stdout.end();
      stderr.end();
    }
  };
  const end = finish();
  // Who reads only the outputs must not be ended by a rejection that nobody waits for.
  end.catch(() => undefined);
  return {
    stdin: request.stdin ? stdinOf(connection) : undefined,
    stdout,
    stderr,
    end,
    resize: (size) => resize(running, size),
    signal: async (name) => {
      if (!over) await signalCommand(engine, inside, exec, mark, root, name);
    },
  };
}

function neverStarted(end: ExecEnd): Execution {
  const empty = () => new PassThrough().end();
  const nothing = async () => undefined;
  return {
    stdin: undefined,
    stdout: empty(),
    stderr: empty(),
    end: Promise.resolve(end),
    resize: nothing,
    signal: nothing,
  };
}

function timeLimit(seconds: number | undefined, onPassed: () => void): { passed(): boolean; clear(): void } {
  let passed = false;
  const timer =
    seconds === undefined
      ? undefined
      : setTimeout(() => {
          passed = true;
          onPassed();
        }, seconds * 1000);
  return { passed: () => passed, clear: () => clearTimeout(timer) };
}

function createExec(engine: Engine, inside: Inside, request: ExecRequest, mark: string): Promise<Docker.Exec> {
  const { user, home } = whoIs(inside, request.root ?? false);
  const { terminal } = request;
  const environment = {
    HOME: home,
    ...(terminal === undefined ? {} : { TERM: 'xterm-256color' }),
    ...request.environment,
  };
  return engine.call(doingOf(inside, request), 30, async (docker, abortSignal) => {
    try {
      return await docker.getContainer(inside.id).exec({
        Cmd: [...inside.guard, ...request.command],
        User: user,
        Env: [...Object.entries(environment).map(([name, value]) => `${name}=${value}`), mark],
        ...(request.workdir === undefined ? {} : { WorkingDir: request.workdir }),
        AttachStdin: request.stdin ?? false,
        AttachStdout: true,
        AttachStderr: true,
        Tty: terminal !== undefined,
        // From API 1.42 on the terminal has its size from the start; before, a moment later.
        ...(terminal === undefined ? {} : { ConsoleSize: [terminal.rows, terminal.columns] }),
        ...(abortSignal === undefined ? {} : { abortSignal }),
      });
    } catch (error) {
      // 409 from Docker; Podman has other answers.
      if (statusOf(error) === undefined || statusOf(error) === 404 || (await isRunning(engine, inside.id))) throw error;
      throw new CoppiceError('refused', 'container-not-running', `The container ${inside.name} does not run.`, {
        hint: 'Start the environment first.',
        cause: error,
      });
    }
  });
}

/** The deadline is for the answer only: an abort signal of dockerode's would also cut the open connection later. */
function open(engine: Engine, inside: Inside, exec: Docker.Exec, request: ExecRequest): Promise<Duplex> {
  return engine.call(doingOf(inside, request), undefined, async () => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 30_000);
    try {
      const options = { hijack: true, stdin: request.stdin ?? false, Tty: request.terminal !== undefined };
      const connection = await exec.start({ ...options, abortSignal: abort.signal });
      // A connection that breaks ends the outputs; what became of the command, the engine is asked.
      connection.on('error', () => undefined);
      return connection;
    } finally {
      clearTimeout(timer);
    }
  });
}

function doingOf(inside: Inside, request: ExecRequest) {
  return { failed: `The command ${request.command[0] ?? ''} could not be started`, ...inside.doing };
}

/** Only after the start: before it the engine refuses. Podman answers 201, which dockerode takes for an error. */
async function resize({ engine, exec }: Running, size: { rows: number; columns: number }): Promise<void> {
  await engine.call({ failed: 'The terminal could not be resized' }, 10, async (_, abortSignal) => {
    try {
      await exec.resize({ h: size.rows, w: size.columns, ...(abortSignal === undefined ? {} : { abortSignal }) });
    } catch (error) {
      // A command that ended meanwhile has no terminal left to resize.
      if (![201, 404, 409, 500].includes(statusOf(error) ?? 0)) throw error;
    }
  });
}

/**
 * Until its process is there or the engine has given up on it. Podman's record of an exec looks the same before its
 * start as after its end, so there a failed start cannot be told from a command's own 126 or 127.
 */
async function started(engine: Engine, exec: Docker.Exec): Promise<ExecState> {
  const { podman } = await engine.facts();
  for (let pause = 2; ; pause = Math.min(pause * 1.5, 200)) {
    const state = await execState(engine, exec);
    if (podman) return { ...state, started: true };
    if (state.started || state.ended) return state;
    await delay(pause);
  }
}

/** The command's status. The end of its stream only says that now is a good time to ask. */
async function ended(engine: Engine, exec: Docker.Exec, streamEnd: Promise<void>): Promise<number> {
  let streaming = true;
  let seen = false;
  const noticed = streamEnd.then(() => {
    streaming = false;
  });
  for (let pause = 50, soon = 5; ; ) {
    const over = !streaming;
    const state = await execState(engine, exec);
    seen ||= state.started;
    if (state.ended && (seen || over)) return state.status;
    if (streaming) {
      await Promise.race([noticed, delay(pause)]);
      pause = Math.min(pause * 1.5, 1_000);
    } else {
      await delay(soon);
      soon = Math.min(soon * 1.5, 500);
    }
  }
}

/** Lets what is under way arrive. A background child may hold the stream open for ever, or write to it for ever. */
async function settled(streams: Demuxed, connection: Duplex): Promise<void> {
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
