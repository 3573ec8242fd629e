/** The protocol over a real socket, as a well-behaved and as a badly behaved client see it. */
import { statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/daemon/client.ts';
import type { DaemonEvent } from '../../src/daemon/events.ts';
import { isNewer, longestRequest } from '../../src/daemon/protocol.ts';
import { type Answers, serve } from '../../src/daemon/server.ts';
import { CoppiceError } from '../../src/domain/error.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryDirectory } from '../support/repository.ts';

const build = { version: '1.2.3', protocol: 1, stamp: 7 };
const target = { dataDirectory: '/data', commonDirectory: '/repository/.git', name: 'fix' };

function answersWith(changed: Partial<Answers>): Answers {
  return {
    ping: () => ({ pid: 1, build }),
    status: () => ({ pid: 1, build, startedAt: 'now', environments: [], lastError: null }),
    watch: () => ({ watching: true }),
    unwatch: () => ({}),
    checkpoint: () => ({ checkpoint: null, held: [], submodules: [], unsettled: false }),
    stop: () => ({}),
    subscribe: () => ({}),
    ...changed,
  };
}

async function serving(changed: Partial<Answers> = {}, path = join(temporaryDirectory(), 'daemon.sock')) {
  const server = await serve(path, answersWith(changed));
  onTestFinished(() => server.close());
  return { path, server };
}

async function connected(path: string) {
  const client = await connect(path);
  if (client === undefined) throw new Error('nobody listens');
  onTestFinished(() => client.close());
  return client;
}

/** Sends these bytes and gives everything that comes back until the other side hangs up. */
function talk(path: string, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path, () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

function checkpoint(name: string): DaemonEvent {
  return { type: 'error', repository: 'r', name, at: 'now', code: 'x', message: 'y' };
}

test('answers every method, also many at once and in order', async () => {
  const seen: unknown[] = [];
  const { path } = await serving({
    unwatch: ({ params }) => {
      seen.push(params);
      return {};
    },
  });
  const client = await connected(path);
  const [pong, status, watch] = await Promise.all([client.ping(), client.status(), client.watch(target)]);
  await client.unwatch(target);
  await client.stop();
  expect(pong).toEqual({ pid: 1, build });
  expect(status.environments).toEqual([]);
  expect(watch).toEqual({ watching: true });
  expect(seen).toEqual([target]);
});

test('only its user may open the socket', async () => {
  const { path } = await serving();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('hands errors over with code, sentence and hint; the connection stays', async () => {
  const { path } = await serving({
    watch: () => {
      throw new CoppiceError('not-found', 'no-such-thing', 'There is no such thing.', { hint: 'Make one.' });
    },
    status: () => {
      throw new TypeError('oops');
    },
  });
  const client = await connected(path);
  await expect(client.watch(target)).rejects.toMatchObject({
    kind: 'not-found',
    code: 'no-such-thing',
    hint: 'Make one.',
  });
  await expect(client.status()).rejects.toMatchObject({ kind: 'bug', message: 'oops' });
  expect((await client.ping()).pid).toBe(1);
});

test.each([
  ['what is not JSON', 'hello\n', null, 'bad-request'],
  ['another shape', '{"v":1}\n', null, 'bad-request'],
  ['an unknown method', '{"v":1,"id":4,"method":"toString"}\n', 4, 'unknown-method'],
  ['wrong parameters', '{"v":1,"id":5,"method":"watch","params":{"name":1}}\n', 5, 'bad-request'],
  ['another version', '{"v":2,"id":6,"method":"status"}\n', 6, 'protocol-mismatch'],
  ['too much without a line end', Buffer.alloc(longestRequest * 4, 'x'), null, 'line-too-long'],
  ['bytes that are no text', Buffer.from([0xff, 0x00, 0x0a]), null, 'bad-request'],
])('%s is answered with an error and hung up on; others are still served', async (_what, bytes, id, code) => {
  const { path } = await serving();
  const other = await connected(path);
  const said = await talk(path, bytes);
  expect(JSON.parse(said)).toMatchObject({ id, ok: false, error: { code } });
  expect((await other.ping()).pid).toBe(1);
});

test('ping and stop are answered in every version', async () => {
  const { path } = await serving();
  const said: string[] = [];
  const socket = createConnection(path, () =>
    socket.write('{"v":99,"id":1,"method":"ping"}\n{"v":99,"id":2,"method":"stop"}\n'),
  );
  onTestFinished(() => void socket.destroy());
  socket.on('data', (chunk) => said.push(...chunk.toString().trim().split('\n')));
  await eventually(() => said.length === 2);
  expect(said.map((line) => JSON.parse(line).ok)).toEqual([true, true]);
});

test('subscribers get events; one that does not read is let go, the others are not', async () => {
  const { path, server } = await serving();
  const deaf = createConnection(path, () => deaf.write('{"v":1,"id":1,"method":"subscribe"}\n'));
  onTestFinished(() => void deaf.destroy());
  deaf.on('error', () => undefined);
  const client = await connected(path);
  const names: string[] = [];
  const reading = (async () => {
    for await (const event of client.events()) {
      names.push(event.name);
      if (event.name === 'last') break;
    }
  })();
  await eventually(() => server.subscribers === 2);
  const long = 'x'.repeat(50_000);
  for (let sent = 0; server.subscribers === 2; sent++) {
    if (sent > 2_000) throw new Error('nobody was let go');
    server.broadcast(checkpoint(long));
    if (sent % 20 === 19) await eventually(() => names.length === sent + 1);
  }
  server.broadcast(checkpoint('last'));
  await reading;
  expect(names.at(-1)?.slice(0, 9)).toBe('last');
  expect(server.subscribers).toBe(1);
});

test('events end when the daemon does, or when the caller wants', async () => {
  const { path, server } = await serving();
  const [one, two] = [await connected(path), await connected(path)];
  const stop = new AbortController();
  const drain = async (events: AsyncIterable<DaemonEvent>) => {
    const seen: string[] = [];
    for await (const event of events) seen.push(event.name);
    return seen;
  };
  const [first, second] = [drain(one.events(stop.signal)), drain(two.events())];
  await eventually(() => server.subscribers === 2);
  server.broadcast(checkpoint('both'));
  stop.abort();
  expect((await first).length).toBeLessThanOrEqual(1);
  await server.close();
  expect(await second).toEqual(['both']);
  await two.ended;
});

test('what is asked of a daemon that goes away is refused, not left hanging', async () => {
  const { path, server } = await serving({ status: () => new Promise(() => undefined) });
  const client = await connected(path);
  const asked = client.status();
  const refused = expect(asked).rejects.toMatchObject({ kind: 'unavailable', code: 'daemon-gone' });
  await server.close();
  await refused;
  await expect(client.ping()).rejects.toMatchObject({ code: 'daemon-gone' });
  expect(await connect(path)).toBeUndefined();
});

test('a socket left by a dead daemon is replaced', async () => {
  const path = join(temporaryDirectory(), 'daemon.sock');
  writeFileSync(path, 'left over');
  expect(await connect(path)).toBeUndefined();
  await serving({}, path);
  expect((await (await connected(path)).ping()).pid).toBe(1);
});

test('a build is newer by protocol, then version, then time; never both ways', () => {
  const base = { version: '1.2.3', protocol: 2, stamp: 10 };
  expect(isNewer({ ...base, stamp: 11 }, base)).toBe(true);
  expect(isNewer({ ...base, version: '1.10.0', stamp: 1 }, base)).toBe(true);
  expect(isNewer({ ...base, protocol: 3, version: '0.0.1' }, base)).toBe(true);
  expect(isNewer(base, base)).toBe(false);
  expect(isNewer(base, { ...base, version: '1.10.0', stamp: 1 })).toBe(false);
});
