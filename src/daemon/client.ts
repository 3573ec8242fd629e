/** Talks to the daemon over its socket. */
import { createConnection, type Socket } from 'node:net';
import { CoppiceError } from '../domain/error.ts';
import type { DaemonEvent } from './events.ts';
import { linesOf } from './lines.ts';
import {
  type EnvironmentTarget,
  encode,
  fromWire,
  longestReply,
  type Message,
  type Method,
  methods,
  type ParamsOf,
  parseMessage,
  protocolVersion,
  type RepositoryTarget,
  type ResultOf,
} from './protocol.ts';
import type { DaemonStatus, Pong } from './status.ts';

/** Everything rejects with kind `unavailable` when the daemon does not answer: `daemon-gone`, `daemon-silent`. */
export interface DaemonClient {
  ping(): Promise<Pong>;
  status(): Promise<DaemonStatus>;
  /** See `methods.watch` in protocol.ts. */
  watch(target: RepositoryTarget): Promise<{ readonly watching: boolean }>;
  unwatch(target: EnvironmentTarget): Promise<void>;
  /** See `methods.checkpoint`. */
  checkpoint(request: ParamsOf<'checkpoint'>): Promise<ResultOf<'checkpoint'>>;
  /** Asks it to end. `ended` tells when it has. */
  stop(): Promise<void>;
  /** From now on, until the daemon ends, `signal` aborts or the caller breaks out. One iteration per client. */
  events(signal?: AbortSignal): AsyncIterable<DaemonEvent>;
  /** Resolves when the connection is closed, from either side. */
  readonly ended: Promise<void>;
  close(): void;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: CoppiceError): void;
}

/** Milliseconds for an answer. Letting go of an environment waits for what runs in it; opening many takes a while. */
const patience: Readonly<Record<Method, number>> = {
  ping: 10_000,
  status: 10_000,
  watch: 30_000,
  unwatch: 30_000,
  checkpoint: 120_000,
  stop: 10_000,
  subscribe: 10_000,
};

/** Undefined when no daemon listens there. */
export function connect(path: string): Promise<DaemonClient | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(gone(error));
    });
    socket.once('connect', () => resolve(clientOver(socket)));
  });
}

function clientOver(socket: Socket): DaemonClient {
  const waiting = new Map<number, Waiting>();
  const events = makeQueue<DaemonEvent>();
  let lastId = 0;
  let failure: CoppiceError | undefined;
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));

  const finish = (error: CoppiceError) => {
    failure ??= error;
    for (const each of waiting.values()) each.reject(failure);
    waiting.clear();
    events.end();
    socket.destroy();
  };
  const receive = (message: Message) => {
    if ('event' in message) return events.push(message.event);
    if (message.id === null) return finish(message.ok ? gone() : fromWire(message.error));
    const each = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.ok) each?.resolve(message.result);
    else each?.reject(fromWire(message.error));
  };
  const read = async () => {
    for await (const line of linesOf(socket, longestReply)) receive(parseMessage(line));
  };
  socket.on('error', (error) => finish(gone(error)));
  read().then(
    () => finish(gone()),
    (error: unknown) => finish(error instanceof CoppiceError ? error : gone(error)),
  );

  async function call<Name extends Method>(method: Name, params: ParamsOf<Name>): Promise<ResultOf<Name>> {
    if (failure !== undefined) throw failure;
    const id = ++lastId;
    const answered = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
    const timer = setTimeout(() => waiting.get(id)?.reject(silent(method)), patience[method]);
    socket.write(encode({ v: protocolVersion, id, method, params }));
    try {
      return checkResult(method, await answered);
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  }

  return {
    ping: () => call('ping', undefined),
    status: () => call('status', undefined),
    watch: (target) => call('watch', target),
    unwatch: async (target) => void (await call('unwatch', target)),
    checkpoint: (request) => call('checkpoint', request),
    stop: async () => void (await call('stop', undefined)),
    events: async function* (signal) {
      await call('subscribe', undefined);
      const onAbort = () => events.end();
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      try {
        yield* events.items();
      } finally {
        signal?.removeEventListener('abort', onAbort);
        events.end();
      }
    },
    ended,
    close: () => finish(gone()),
  };
}

function checkResult<Name extends Method>(method: Name, result: unknown): ResultOf<Name> {
  const parsed = methods[method].result.safeParse(result);
  if (parsed.success) return parsed.data as ResultOf<Name>;
  throw new CoppiceError('unavailable', 'bad-reply', `The daemon answered ${method} in a way that cannot be read.`, {
    hint: 'Run `coppice daemon stop` and try again.',
  });
}

/** What came in and was not taken yet. */
function makeQueue<Item>() {
  const items: Item[] = [];
  let over = false;
  let wake: () => void = () => undefined;
  return {
    push: (item: Item) => {
      if (!over) items.push(item);
      wake();
    },
    end: () => {
      over = true;
      wake();
    },
    items: async function* (): AsyncGenerator<Item> {
      for (;;) {
        for (let item = items.shift(); item !== undefined; item = items.shift()) yield item;
        if (over) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function gone(cause?: unknown): CoppiceError {
  return new CoppiceError('unavailable', 'daemon-gone', 'The daemon has closed the connection.', {
    hint: 'Nothing is lost; it is started again when it is needed.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function silent(method: string): CoppiceError {
  return new CoppiceError('unavailable', 'daemon-silent', `The daemon did not answer ${method} in time.`, {
    hint: 'Run `coppice daemon stop` and try again.',
  });
}
