/** Runs one command in a container. Its end is what the engine says about it, never the end of a stream. */
import { randomUUID } from 'node:crypto';
import { type Duplex, PassThrough, Writable } from 'node:stream';
import type Docker from 'dockerode';
import { CoppiceError } from '../../domain/error.ts';
import type { ExecEnd, ExecRequest, Execution } from '../runtime.ts';
import { type Demuxed, demux } from './demux.ts';
import { endTree, signalCommand } from './end-tree.ts';
import type { Engine } from './engine.ts';
import { createExec, openExec, resizeExec, waitForEnd, waitForStart } from './exec-calls.ts';
import { failureOf, refusedStart } from './exec-refusal.ts';
import type { Inside } from './inside.ts';
import { oomKills } from './oom-kills.ts';
import { guardTells, podmanTells, startGate } from './start-gate.ts';

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
  /** What was killed in its container for want of memory before it began. */
  readonly killsBefore: number;
}

export async function startExec(engine: Engine, inside: Inside, request: ExecRequest): Promise<Execution> {
  if (request.signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', 'The command was interrupted.');
  const mark = `COPPICE_EXEC=${randomUUID()}`;
  // Before the command can have met the limit.
  const [exec, killsBefore] = await Promise.all([createExec(engine, inside, request, mark), killsOf(engine, inside)]);
  const connection = await openExec(engine, inside, exec, request);
  const running: Running = { engine, inside, request, exec, connection, mark, killsBefore };
  try {
    const state = await waitForStart(engine, exec);
    if (!state.started) return neverStarted(await refusedStart(engine, inside, request, connection, state.status));
    if (request.terminal !== undefined) await resizeExec(engine, exec, request.terminal);
    return follow(running);
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Joins the outputs, and watches for the end, the time limit and the abort. */
function follow(running: Running): Execution {
  const { engine, inside, request, exec, connection, mark, killsBefore } = running;
  const root = request.root ?? false;
  const framed = request.terminal === undefined;
  const guarded = inside.guard.length > 0;
  const gate = startGate(highWaterMark, guarded ? guardTells : podmanTells);
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
      const status = await waitForEnd(engine, exec, streams.done);
      over = true;
      await ending;
      await settled(streams, connection);
      const killedSince = async () => status !== 0 && ((await oomKills(engine, inside.id)) ?? 0) > killsBefore;
      const oomKilled = await killedSince();
      if (limit.passed()) return { status: 124, timedOut: true, failedToStart: undefined, oomKilled };
      const failed = (status === 126 || status === 127) && gate.drop();
      if (failed) return { ...(await failureOf(engine, inside, request, status)), oomKilled };
      return { status, timedOut: false, failedToStart: undefined, oomKilled };
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
    resize: (size) => resizeExec(engine, exec, size),
    signal: async (name) => {
      if (!over) await signalCommand(engine, inside, exec, mark, root, name);
    },
  };
}

/** Where it cannot be asked, the command that follows says why. */
async function killsOf(engine: Engine, inside: Inside): Promise<number> {
  try {
    return (await oomKills(engine, inside.id)) ?? 0;
  } catch (error) {
    if (error instanceof CoppiceError) return 0;
    throw error;
  }
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
