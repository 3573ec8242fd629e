/** The one place that starts processes on the host: argument arrays only, a deadline and a signal for every child. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { CoppiceError } from '../domain/error.ts';

export interface RunOptions {
  /** The child's whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: Uint8Array | string;
  /** Milliseconds until the child is killed. Default 120,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Bytes of stdout kept before the child is killed. Default 1 GiB. */
  readonly maxOutput?: number;
  /** In a process group of its own, so that a Ctrl-C typed at us does not end it half-way. Default false. */
  readonly detached?: boolean;
  /** Bytes it may allocate; files it maps do not count. Default: no limit of ours. */
  readonly memory?: number;
}

export interface Finished {
  /** Exit status, or 128 + signal number as a shell would say. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const defaultTimeout = 120_000;
const defaultMaxOutput = 2 ** 30;

/** Runs to the end. A status other than 0 is an answer, not an error; a missing program or a deadline is an error. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  const { timeout = defaultTimeout, maxOutput = defaultMaxOutput } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(...limited(command, args, options.memory), {
      env: options.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      detached: options.detached ?? false,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    let failure: CoppiceError | undefined;
    const end = (error: CoppiceError) => {
      failure ??= error;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => end(deadline(command, timeout)), timeout);
    const onAbort = () => end(new CoppiceError('interrupted', 'interrupted', `${command} was interrupted.`));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted) onAbort();
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
    };
    child.on('error', (error) => {
      settle();
      reject(cannotStart(command, error, options.cwd));
    });
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxOutput)
        end(new CoppiceError('failed', 'too-much-output', `${command} wrote over ${maxOutput} bytes.`));
      else stdout.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('close', (code, signalName) => {
      settle();
      if (failure !== undefined) reject(failure);
      else {
        resolve({
          status: code ?? 128 + signalNumber(signalName),
          stdout: Buffer.concat(stdout),
          stderr: Buffer.concat(stderr).toString('utf8'),
        });
      }
    });
    // A child that ends without reading its input is not an error of ours: its status says what happened.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/**
 * RLIMIT_DATA (setrlimit(2)), which counts what is allocated and not the packs that are mapped. Node cannot set it for a
 * child: a shell does, and becomes the program (a millisecond). A lower limit that is there already stays.
 */
function limited(command: string, args: readonly string[], memory: number | undefined): [string, readonly string[]] {
  if (memory === undefined) return [command, args];
  const script = 'ulimit -d "$0" 2>/dev/null; exec "$@"';
  return ['/bin/sh', ['-c', script, String(Math.ceil(memory / 1024)), command, ...args]];
}

/** A long-lived child with its three streams; the caller ends it. */
export interface Started {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Streams beyond the first three, by descriptor. */
  readonly extra: ReadonlyMap<number, ChildProcess['stdio'][number]>;
  readonly exit: Promise<number>;
  kill(signal?: NodeJS.Signals): void;
  /** Whether it keeps this process from ending. It does until told otherwise; when we end, its input does. */
  keepAwake(wanted: boolean): void;
}

export interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** How many duplex pipes to open from descriptor 3 on. */
  readonly extraPipes?: number;
  /** In a process group of its own, so that a Ctrl-C typed at us does not end it. */
  readonly detached?: boolean;
  /** As for `run`. */
  readonly memory?: number;
}

/** Resolves once the program runs; `exit` never rejects. */
export function start(command: string, args: readonly string[], options: StartOptions): Promise<Started> {
  return new Promise((resolve, reject) => {
    const extraPipes = options.extraPipes ?? 0;
    const child = spawn(...limited(command, args, options.memory), {
      env: options.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      detached: options.detached ?? false,
      stdio: ['pipe', 'pipe', 'pipe', ...new Array<'pipe'>(extraPipes).fill('pipe')],
    });
    child.on('error', (error) => reject(cannotStart(command, error, options.cwd)));
    const exit = new Promise<number>((done) => {
      child.on('close', (code, signalName) => done(code ?? 128 + signalNumber(signalName)));
    });
    child.on('spawn', () => {
      const { stdin, stdout, stderr, pid } = child;
      if (stdin === null || stdout === null || stderr === null || pid === undefined) {
        reject(new CoppiceError('bug', 'no-streams', `${command} started without its streams.`));
        return;
      }
      stdin.on('error', () => undefined);
      const extra = new Map(Array.from({ length: extraPipes }, (_, index) => [index + 3, child.stdio[index + 3]]));
      resolve({
        pid,
        stdin,
        stdout,
        stderr,
        extra,
        exit,
        kill: (name) => void child.kill(name),
        keepAwake: (wanted) => {
          for (const each of [child, stdin, stdout, stderr]) setAwake(each, wanted);
        },
      });
    });
  });
}

/** Pipes to children are sockets, which the types do not say. */
function setAwake(each: ChildProcess | Writable | Readable, wanted: boolean): void {
  if (wanted && 'ref' in each && typeof each.ref === 'function') each.ref();
  if (!wanted && 'unref' in each && typeof each.unref === 'function') each.unref();
}

/** A process that outlives this one: the daemon. Its output goes to the open file `log`. */
export function startDetached(
  command: string,
  args: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly cwd: string;
    readonly log: number;
  },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: options.env,
      cwd: options.cwd,
      detached: true,
      stdio: ['ignore', options.log, options.log],
    });
    child.on('error', (error) => reject(cannotStart(command, error, options.cwd)));
    child.on('spawn', () => {
      child.unref();
      resolve(child.pid ?? 0);
    });
  });
}

/** Joined to the caller's own terminal, for editors, pagers and `shell`. Resolves to the exit status. */
export function runInteractively(
  command: string,
  args: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly cwd?: string;
  },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: options.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: 'inherit',
    });
    child.on('error', (error) => reject(cannotStart(command, error, options.cwd)));
    child.on('close', (code, signalName) => resolve(code ?? 128 + signalNumber(signalName)));
  });
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

export function signalNumber(name: string | null): number {
  return (name === null ? undefined : signalNumbers[name]) ?? 0;
}

function deadline(command: string, timeout: number): CoppiceError {
  return new CoppiceError('unavailable', 'deadline', `${command} did not finish within ${timeout / 1000} s.`, {
    hint: 'The machine may be overloaded or a file system may hang; try again.',
  });
}

function cannotStart(command: string, error: NodeJS.ErrnoException, cwd?: string): CoppiceError {
  // The system says the same of a missing program and of a missing directory to start it in.
  if (error.code === 'ENOENT' && cwd !== undefined && !existsSync(cwd)) {
    return new CoppiceError('failed', 'directory-missing', `The directory ${cwd} is not there any more.`, {
      hint: '`coppice doctor` says what belongs there.',
      data: { directory: cwd },
      cause: error,
    });
  }
  if (error.code === 'ENOENT') {
    return new CoppiceError('unavailable', 'program-missing', `${command} is not installed or not on the PATH.`, {
      hint: `Install ${command} and try again.`,
      data: { program: command },
      cause: error,
    });
  }
  return new CoppiceError('unavailable', 'cannot-start', `${command} could not be started: ${error.message}.`, {
    cause: error,
  });
}
