/**
 * Joins a git on the host to a git inside, descriptor 3 of the one to both ends of the other (gitremote-helpers(7), `fd::3`),
 * and watches over it: bytes, silence and time are limited, and both ends are ended when a limit is met.
 */
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { CoppiceError } from '../../domain/error.ts';
import type { Started } from '../../platform/process.ts';
import type { Pipe } from '../transport.ts';

export interface Limits {
  /** Bytes that may come out in one fetch. */
  readonly bytes: number;
  /** Bytes of one object: a pack of a few kilobytes can unfold to any size. */
  readonly objectBytes: number;
  /** Milliseconds for the whole. */
  readonly total: number;
  /** Milliseconds without a byte in either direction. Git inside sends a sign of life every 5 s while it packs. */
  readonly silence: number;
}

export interface Ended {
  /** Exit status of git on the host. */
  readonly status: number;
  /** The end of what it said. */
  readonly stderr: string;
  /** The end of what git inside said. */
  readonly insideStderr: string;
  readonly stopped: 'too-large' | 'too-long' | undefined;
  /** Why the stream from inside broke off, if it did. */
  readonly cut: unknown;
}

export async function converse(host: Started, pipe: Pipe, limits: Limits): Promise<Ended> {
  const socket = descriptorThree(host);
  let stopped: Ended['stopped'];
  const stop = (reason: NonNullable<Ended['stopped']>) => {
    stopped ??= reason;
    host.kill('SIGTERM');
    socket.destroy();
    pipe.stdout.destroy();
  };
  const total = setTimeout(() => stop('too-long'), limits.total);
  const silence = setTimeout(() => stop('too-long'), limits.silence);
  let bytes = 0;
  const count = (chunk: Buffer): boolean => {
    silence.refresh();
    bytes += chunk.length;
    if (bytes > limits.bytes) stop('too-large');
    return bytes <= limits.bytes;
  };
  const insideStderr = lastOf(pipe.stderr);
  const stderr = lastOf(host.stderr);
  host.stdin.end();
  host.stdout.resume();
  goingIn(socket, pipe, () => silence.refresh());
  const comingOut = deliver(pipe.stdout, socket, count);
  let linger: NodeJS.Timeout | undefined;
  host.stdout.once('end', () => {
    // Git on the host has ended: the end inside may finish what it says, but not go on for ever.
    linger = setTimeout(() => pipe.stdout.destroy(), patience);
  });
  try {
    const status = await host.exit;
    const cut = await comingOut;
    return { status, stderr: stderr(), insideStderr: insideStderr(), stopped, cut };
  } finally {
    clearTimeout(total);
    clearTimeout(silence);
    clearTimeout(linger);
    socket.destroy();
    if (stopped === undefined) await finish(pipe);
    else await pipe.kill();
  }
}

/** Git inside ends with its input; whatever was put in its place is ended. */
async function finish(pipe: Pipe): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), patience);
  });
  if ((await Promise.race([pipe.exit, late])) === 'late') await pipe.kill();
  clearTimeout(timer);
}

/** Milliseconds. */
const patience = 2_000;

function descriptorThree(host: Started): Socket {
  const stream = host.extra.get(3);
  if (!(stream instanceof Socket)) throw new CoppiceError('bug', 'no-streams', 'git was started without descriptor 3.');
  // Git closes its sending half long before it has read the answer; closing ours then would fail every push.
  stream.allowHalfOpen = true;
  stream.on('error', () => undefined);
  return stream;
}

function goingIn(socket: Socket, pipe: Pipe, alive: () => void): void {
  // When the end inside has gone, what git still sends is read and dropped, so that it ends by itself.
  pipe.stdin.on('error', () => socket.resume());
  pipe.stdin.on('close', () => socket.resume());
  socket.on('data', alive);
  socket.pipe(pipe.stdin);
}

/**
 * Reads to the end even when git on the host has hung up, so that the end inside is never stuck in a write. Returns why
 * the stream was cut, if it was: git on the host then sees the end of its input too early and says so.
 */
async function deliver(from: Readable, to: Socket, allowed: (chunk: Buffer) => boolean): Promise<unknown> {
  try {
    for await (const chunk of from) {
      if (!allowed(chunk)) break;
      if (to.writable && !to.write(chunk)) await drained(to);
    }
    return undefined;
  } catch (error) {
    return error;
  } finally {
    to.end();
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

const kept = 8_192;

/** Collects the last few kilobytes of a stream that may say anything. */
function lastOf(stream: Readable): () => string {
  let text = '';
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString('utf8')).slice(-kept);
  });
  return () => text;
}
