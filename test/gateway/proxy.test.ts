/** The proxy and the TLS gate over real sockets, with servers of our own. */
import { once } from 'node:events';
import { createServer as createHttp, request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readHello } from '../../src/gateway/client-hello.ts';
import { httpProxy } from '../../src/gateway/http.ts';
import type { Reach } from '../../src/gateway/reach.ts';
import { tlsGate } from '../../src/gateway/tls.ts';

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Leads every allowed host to one port, whatever port it was asked for. */
function leadingTo(port: number, allowed: readonly string[] = ['allowed.example']) {
  const asked: string[] = [];
  const reach: Reach = async (host, wanted) => {
    asked.push(`${host}:${wanted}`);
    if (!allowed.includes(host)) return { kind: 'denied', sentence: 'No.' };
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return { kind: 'connected', socket };
  };
  return { reach, asked };
}

/** Says what it was asked, headers in order. */
async function echo() {
  const server = createHttp(async (request, response) => {
    const body = await text(request);
    response.writeHead(201, { 'X-Kept': '1', Connection: 'close, X-Dropped', 'X-Dropped': '1' });
    response.end(JSON.stringify({ line: `${request.method} ${request.url}`, headers: request.rawHeaders, body }));
  });
  server.on('upgrade', (_: IncomingMessage, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    socket.write(head);
    socket.pipe(socket);
  });
  return listening(server);
}

async function ask(port: number, path: string, headers: Record<string, string> = {}, body?: string, method = 'POST') {
  const request = httpRequest({ port, host: '127.0.0.1', path, method, headers, agent: false });
  request.end(body);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

describe('the proxy', () => {
  test('passes a request on as it is, to the host its target names, without what is about one connection', async () => {
    const { reach, asked } = leadingTo(await echo());
    const proxy = await listening(httpProxy({ reach }));
    const headers = { Host: 'other.example', 'X-One': '1', 'Proxy-Authorization': 'x', TE: 'x', 'X-Hop': '1' };
    const answer = await ask(proxy, 'http://allowed.example:81/p?q=%20#f', { ...headers, Connection: 'X-Hop' }, 'body');
    expect(asked).toEqual(['allowed.example:81']);
    const said = JSON.parse(answer.body);
    expect(said).toMatchObject({ line: 'POST /p?q=%20', body: 'body' });
    const names = said.headers
      .filter((_: string, index: number) => index % 2 === 0)
      .map((name: string) => name.toLowerCase());
    expect(names.sort()).toEqual(['connection', 'content-length', 'host', 'x-one']);
    expect(said.headers[said.headers.indexOf('Host') + 1]).toBe('allowed.example:81');
    expect(answer).toMatchObject({ status: 201, headers: { 'x-kept': '1' } });
    expect(answer.headers).not.toHaveProperty('x-dropped');
  });

  test('keeps a body a body, whatever the method', async () => {
    const { reach } = leadingTo(await echo());
    const proxy = await listening(httpProxy({ reach }));
    const smuggled = 'GET http://allowed.example/second HTTP/1.1\r\n\r\n';
    const answer = await ask(
      proxy,
      'http://allowed.example/first',
      { 'Transfer-Encoding': 'chunked' },
      smuggled,
      'GET',
    );
    expect(JSON.parse(answer.body)).toMatchObject({ line: 'GET /first', body: smuggled });
  });

  test('asks about every request of a connection', async () => {
    const { reach, asked } = leadingTo(await echo());
    const proxy = await listening(httpProxy({ reach, transparentPort: 80 }));
    const client = connect(proxy, '127.0.0.1');
    const second = 'GET / HTTP/1.1\r\nHost: denied.example\r\nConnection: close\r\n\r\n';
    client.write(`GET / HTTP/1.1\r\nHost: allowed.example:9\r\n\r\n${second}`);
    const said = await text(client);
    expect(asked).toEqual(['allowed.example:80', 'denied.example:80']);
    expect(said).toMatch(/201 Created.*403 Forbidden.*No\./s);
  });

  test('tunnels both ways to the end, and says why not', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const got: Buffer[] = [];
      socket.on('data', (chunk) => got.push(chunk));
      socket.on('end', () => {
        const all = Buffer.concat(got);
        socket.end(Buffer.concat([Buffer.from(`${all.length}:`), all]));
      });
    });
    const { reach, asked } = leadingTo(await listening(server));
    const proxy = await listening(httpProxy({ reach }));
    const big = Buffer.alloc(3_000_000, 'x');
    const client = connect({ port: proxy, host: '127.0.0.1', allowHalfOpen: true });
    client.write('CONNECT allowed.example:22 HTTP/1.1\r\nHost: x\r\n\r\nhead');
    client.end(big);
    const said = (await buffer(client)).toString('latin1');
    expect(said.startsWith('HTTP/1.1 200 Connection established\r\n\r\n3000004:headx')).toBe(true);
    expect(said).toHaveLength(39 + 8 + 3_000_004);
    for (const target of ['denied.example:22', 'allowed.example', 'allowed.example:0', 'allowed.example:x', '/']) {
      const refused = connect(proxy, '127.0.0.1');
      refused.end(`CONNECT ${target} HTTP/1.1\r\nHost: allowed.example:22\r\n\r\n`);
      expect(await text(refused)).toMatch(/^HTTP\/1\.1 (403 Forbidden by the allowlist|400)/);
    }
    expect(asked).toEqual(['allowed.example:22', 'denied.example:22']);
  });

  test('lets a connection become something else', async () => {
    const { reach } = leadingTo(await echo());
    const proxy = await listening(httpProxy({ reach }));
    const client = connect({ port: proxy, host: '127.0.0.1', allowHalfOpen: true });
    client.end('GET http://allowed.example/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nmore');
    expect(await text(client)).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\nmore$/s);
  });

  test('is no server itself', async () => {
    const { reach, asked } = leadingTo(1);
    const proxy = await listening(httpProxy({ reach }));
    expect((await ask(proxy, '/', { Host: 'allowed.example' })).status).toBe(400);
    expect((await ask(proxy, 'https://allowed.example/')).status).toBe(400);
    expect(asked).toEqual([]);
  });
});

async function helloOf(servername: string | undefined): Promise<Buffer> {
  const port = await listening(
    createServer((socket) => {
      socket.once('data', (chunk) => {
        received.resolve(chunk);
        socket.destroy();
      });
    }),
  );
  const received = deferred<Buffer>();
  const client = connectTls({ port, host: '127.0.0.1', ...(servername === undefined ? {} : { servername }) });
  client.on('error', () => undefined);
  return received.promise;
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('TLS', () => {
  test('names its server in the first message, however that is cut', async () => {
    const hello = await helloOf('allowed.example');
    expect(readHello(hello)).toEqual({ kind: 'complete', name: 'allowed.example' });
    for (let length = 0; length < hello.length; length += 1) {
      expect(readHello(hello.subarray(0, length))).toEqual({ kind: 'incomplete' });
    }
    // The same message in records of 40 bytes.
    const pieces = Array.from({ length: Math.ceil((hello.length - 5) / 40) }, (_, index) =>
      hello.subarray(5 + index * 40, 5 + (index + 1) * 40),
    );
    const records = pieces.flatMap((piece) => [Buffer.from([22, 3, 1, 0, piece.length]), piece]);
    expect(readHello(Buffer.concat(records))).toEqual({ kind: 'complete', name: 'allowed.example' });
    expect(readHello(await helloOf(undefined))).toEqual({ kind: 'complete', name: undefined });
  });

  test('that is none, or damaged, is refused', async () => {
    const hello = await helloOf('allowed.example');
    expect(readHello(Buffer.from('SSH-2.0-x\r\n'))).toEqual({ kind: 'not-tls' });
    for (let at = 0; at < hello.length; at += 1) {
      const damaged = Buffer.from(hello);
      damaged[at] = 255;
      const { kind } = readHello(damaged);
      expect(['complete', 'incomplete', 'not-tls']).toContain(kind);
    }
  });

  test('goes on unopened to the server it names, else it gets an alert', async () => {
    const seen = deferred<Buffer>();
    const server = createServer((socket) => {
      socket.once('data', (chunk) => {
        seen.resolve(chunk);
        socket.end('answer');
      });
    });
    const { reach, asked } = leadingTo(await listening(server));
    const noted: unknown[] = [];
    const gate = await listening(tlsGate(reach, { add: (...each) => void noted.push(each) }));
    const hello = await helloOf('allowed.example');
    const through = async (bytes: Buffer) => {
      const client = connect(gate, '127.0.0.1');
      client.write(bytes.subarray(0, 3));
      client.write(bytes.subarray(3));
      return (await buffer(client)).toString('latin1');
    };
    expect(await through(hello)).toBe('answer');
    expect(await seen.promise).toEqual(hello);
    expect(await through(await helloOf('denied.example'))).toBe('\x15\x03\x01\x00\x02\x02\x31');
    expect(await through(await helloOf(undefined))).toBe('\x15\x03\x01\x00\x02\x02\x31');
    expect(asked).toEqual(['allowed.example:443', 'denied.example:443']);
    expect(noted).toEqual([['unnamed', 443, 'no-name']]);
  });
});
