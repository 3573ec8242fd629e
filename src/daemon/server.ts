/** Answers requests on the daemon's socket. One bad connection never harms another, nor the daemon. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { CoppiceError } from '../domain/error.ts';
import type { DaemonEvent } from './events.ts';
import { linesOf } from './lines.ts';
import { encode, longestRequest, type Method, parseRequest, type Request, type ResultOf, toWire } from './protocol.ts';

/** What each method does. */
export type Answers = {
  readonly [Name in Method]: (request: Extract<Request, { method: Name }>) => Promise<ResultOf<Name>> | ResultOf<Name>;
};

export interface DaemonServer {
  readonly subscribers: number;
  broadcast(event: DaemonEvent): void;
  /** Ends every connection and removes the socket. */
  close(): Promise<void>;
}

/** Bytes a subscriber may be behind before it is let go. */
const mostBacklog = 4 * 2 ** 20;
const mostConnections = 256;
/** Milliseconds in which a client that is hung up on can read why. */
const lingering = 1_000;

/** The caller holds the daemon's lock: whatever is at `path` was left by a daemon that is gone. */
export async function serve(path: string, answers: Answers): Promise<DaemonServer> {
  const sockets = new Set<Socket>();
  const subscribers = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      subscribers.delete(socket);
    });
    void converse(socket, answers, () => subscribers.add(socket));
  });
  server.maxConnections = mostConnections;
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    get subscribers() {
      return subscribers.size;
    },
    broadcast: (event) => {
      const line = encode({ event });
      for (const socket of subscribers) {
        if (socket.writableLength > mostBacklog) socket.destroy();
        else socket.write(line);
      }
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** One request after the other; the next is not read before the last is answered. */
async function converse(socket: Socket, answers: Answers, subscribe: () => void): Promise<void> {
  try {
    // Not destroyed when reading stops: there is an answer to give first.
    for await (const line of linesOf(socket.iterator({ destroyOnReturn: false }), longestRequest)) {
      const request = parseRequest(line);
      socket.write(encode(await reply(request, answers)));
      if (request.method === 'subscribe') subscribe();
    }
    socket.end();
  } catch (error) {
    // Whoever sends what cannot be read is told so and hung up on; a connection that broke has nobody left to tell.
    if (socket.destroyed) return;
    socket.end(encode({ id: idOf(error), ok: false, error: toWire(error) }));
    socket.resume();
    setTimeout(() => socket.destroy(), lingering).unref();
  }
}

async function reply(request: Request, answers: Answers): Promise<unknown> {
  try {
    const result = await answer(request, answers);
    return { id: request.id, ok: true, result };
  } catch (error) {
    return { id: request.id, ok: false, error: toWire(error) };
  }
}

/** Spelt out so that each handler gets its own kind of request. */
function answer(request: Request, answers: Answers): unknown {
  switch (request.method) {
    case 'ping':
      return answers.ping(request);
    case 'status':
      return answers.status(request);
    case 'watch':
      return answers.watch(request);
    case 'unwatch':
      return answers.unwatch(request);
    case 'checkpoint':
      return answers.checkpoint(request);
    case 'stop':
      return answers.stop(request);
    case 'subscribe':
      return answers.subscribe(request);
  }
}

function idOf(error: unknown): number | null {
  return error instanceof CoppiceError && typeof error.data.id === 'number' ? error.data.id : null;
}
