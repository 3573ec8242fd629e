/** The engine's calls about one exec: make it, open it, resize it, wait for its start and its end. */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { CoppiceError } from '../../domain/error.ts';
import type { ExecRequest } from '../runtime.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import { type ExecState, execState, type Inside, isRunning, whoIs } from './inside.ts';

export function createExec(engine: Engine, inside: Inside, request: ExecRequest, mark: string): Promise<Docker.Exec> {
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
export function openExec(engine: Engine, inside: Inside, exec: Docker.Exec, request: ExecRequest): Promise<Duplex> {
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
export async function resizeExec(
  engine: Engine,
  exec: Docker.Exec,
  size: { readonly rows: number; readonly columns: number },
): Promise<void> {
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
 * start as after its end, so there only its words tell a failed start from a command's own 126 or 127.
 */
export async function waitForStart(engine: Engine, exec: Docker.Exec): Promise<ExecState> {
  const { podman } = await engine.facts();
  for (let pause = 2; ; pause = Math.min(pause * 1.5, 200)) {
    const state = await execState(engine, exec);
    if (podman) return { ...state, started: true };
    if (state.started || state.ended) return state;
    await delay(pause);
  }
}

/** The command's status. The end of its stream only says that now is a good time to ask. */
export async function waitForEnd(engine: Engine, exec: Docker.Exec, streamEnd: Promise<void>): Promise<number> {
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

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
