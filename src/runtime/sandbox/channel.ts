/**
 * The pipes of one exec: FIFOs in its directory. Real pipes, because programs that open /dev/stdout or /dev/stderr fail
 * on the sockets Node gives its children; with names, because the command is started by somebody else.
 */
import { constants, open as openWithCallback } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { CoppiceError } from '../../domain/error.ts';
import { run } from '../../platform/process.ts';
import { pipeNames } from './script.ts';

export interface Channel {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Lines the script reports; it ends when nobody inside can report any more. */
  readonly status: Readable;
  /** Until then we hold the other ends open ourselves, lest a pipe seems closed before the script has opened it. */
  letGo(): Promise<void>;
  destroy(): void;
}

/** A bare descriptor: a FileHandle would close it under the socket that takes it over. */
const openDescriptor = promisify(openWithCallback);

/** Makes `directory` with the pipes in it. */
export async function openChannel(directory: string, withStdin: boolean, path: string): Promise<Channel> {
  await mkdir(directory, { mode: 0o700, recursive: true });
  const { stdin, ...outward } = pipeNames;
  const names = [...Object.values(outward), ...(withStdin ? [stdin] : [])].map((name) => join(directory, name));
  const made = await run('mkfifo', ['-m', '600', ...names], { env: { PATH: path } });
  if (made.status !== 0) {
    throw new CoppiceError('unavailable', 'engine-error', `No pipe could be made: ${made.stderr.trim()}`);
  }
  const otherEnds: FileHandle[] = [];
  const sockets: Socket[] = [];
  const reading = async (name: string) => {
    const fd = await openDescriptor(join(directory, name), constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = keep(new Socket({ fd, readable: true, writable: false }), sockets);
    otherEnds.push(await open(join(directory, name), constants.O_WRONLY));
    return socket;
  };
  const writing = async (name: string) => {
    otherEnds.push(await open(join(directory, name), constants.O_RDONLY | constants.O_NONBLOCK));
    const fd = await openDescriptor(join(directory, name), constants.O_WRONLY);
    return keep(new Socket({ fd, readable: false, writable: true }), sockets);
  };
  return {
    stdout: await reading(pipeNames.stdout),
    stderr: await reading(pipeNames.stderr),
    status: await reading(pipeNames.status),
    stdin: withStdin ? await writing(pipeNames.stdin) : undefined,
    letGo: async () => {
      await Promise.all(otherEnds.splice(0).map((end) => end.close()));
    },
    destroy: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function keep(socket: Socket, sockets: Socket[]): Socket {
  // Writing to a command that does not read ends with EPIPE: its status says what happened.
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}
