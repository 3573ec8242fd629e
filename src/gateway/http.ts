/** An HTTP proxy (RFC 9110 §7.6, §9.3.6): CONNECT, absolute requests, and plain requests of programs that know no proxy. */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isPort } from '../domain/allowlist.ts';
import { type Reach, type Reached, splice } from './reach.ts';

export interface HttpOptions {
  readonly reach: Reach;
  /** Where requests that do not name a server in their target go: to this port of the host in `Host`. Undefined: nowhere. */
  readonly transparentPort?: number;
  /** Somebody asked `OPTIONS *`: the forwarder says that it listens. */
  readonly onHello?: () => void;
}

const maxConnections = 1024;

export function httpProxy(options: HttpOptions): Server {
  // Whole requests may take as long as they like: an upload is one.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 30_000 });
  server.maxConnections = maxConnections;
  server.on('connect', (request, socket, head) => void tunnel(options, request, socket, head));
  server.on('upgrade', (request, socket, head) => void upgrade(options, request, socket, head));
  server.on('request', (request, response) => void forward(options, request, response));
  server.on('clientError', (_, socket) => void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
  return server;
}

async function tunnel({ reach }: HttpOptions, request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  client.on('error', () => client.destroy());
  const target = authority(request.url ?? '', undefined);
  const reached = target === undefined ? badTarget : await reach(target.host, target.port);
  if (reached.kind !== 'connected') {
    client.end(refusalText(reached));
    return;
  }
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  reached.socket.write(head);
  splice(client as Socket, reached.socket);
}

async function forward(options: HttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'OPTIONS' && request.url === '*') {
    options.onHello?.();
    response.end();
    return;
  }
  const target = targetOf(request, options.transparentPort);
  const reached = target === undefined ? badTarget : await options.reach(target.host, target.port);
  if (target === undefined || reached.kind !== 'connected') {
    const { status, text } = refusal(reached);
    response.writeHead(status, { 'Content-Type': 'text/plain', Connection: 'close' }).end(text);
    return;
  }
  const { socket } = reached;
  const upstream = httpRequest({
    createConnection: () => socket,
    method: request.method ?? 'GET',
    path: target.path,
    headers: headersFor(request, target.authority),
    setHost: false,
  });
  response.once('close', () => socket.destroy());
  upstream.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502, { Connection: 'close' }).end('The host broke off.\n');
  });
  upstream.on('response', (answer) => {
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage,
      kept(answer.rawHeaders, answer.headers.connection),
    );
    answer.pipe(response);
    answer.once('error', () => response.destroy());
  });
  request.pipe(upstream);
}

/** WebSockets and the like: after the request it is no HTTP any more. */
async function upgrade(options: HttpOptions, request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  client.on('error', () => client.destroy());
  const target = targetOf(request, options.transparentPort);
  const reached = target === undefined ? badTarget : await options.reach(target.host, target.port);
  if (target === undefined || reached.kind !== 'connected') {
    client.end(refusalText(reached));
    return;
  }
  const headers = [...kept(request.rawHeaders, undefined, ['host']), 'Host', target.authority];
  headers.push('Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? '');
  const lines = [`${request.method} ${target.path} HTTP/1.1`];
  for (let index = 0; index < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`);
  reached.socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  reached.socket.write(head);
  splice(client as Socket, reached.socket);
}

interface Target {
  readonly host: string;
  readonly port: number;
  /** For the Host header. */
  readonly authority: string;
  readonly path: string;
}

const badTarget = {
  kind: 'failed',
  sentence: 'This is a proxy: ask it for http://host/path, or use CONNECT.',
} as const satisfies Reached;

function targetOf(request: IncomingMessage, transparentPort: number | undefined): Target | undefined {
  const url = request.url ?? '';
  if (/^http:\/\//i.test(url)) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || parsed.hostname === '') return undefined;
    const port = parsed.port === '' ? 80 : Number(parsed.port);
    return {
      host: withoutBrackets(parsed.hostname),
      port,
      authority: parsed.host,
      path: `${parsed.pathname}${parsed.search}`,
    };
  }
  if (transparentPort === undefined || !url.startsWith('/')) return undefined;
  const named = request.headers.host ?? '';
  const asked = authority(named, transparentPort);
  if (asked === undefined) return undefined;
  return { host: asked.host, port: transparentPort, authority: named, path: url };
}

/** `host:port`, the host of an IPv6 address in brackets. */
function authority(text: string, defaultPort: number | undefined): { host: string; port: number } | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?$/i.exec(text);
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (match?.[1] === undefined || !isPort(port)) return undefined;
  return { host: withoutBrackets(match[1]), port };
}

/** An IPv6 address as everything but a URL writes it. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** About one connection only, so not to be passed on (RFC 9110 §7.6.1). */
const hopByHop = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'upgrade',
  'proxy-authorization',
  'transfer-encoding',
];

function headersFor(request: IncomingMessage, hostHeader: string): string[] {
  const headers = [...kept(request.rawHeaders, request.headers.connection, ['host']), 'Host', hostHeader];
  // A body without a length stays one, whatever the method.
  if (request.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked');
  headers.push('Connection', 'close');
  return headers;
}

function kept(raw: readonly string[], connection: string | undefined, besides: readonly string[] = []): string[] {
  const named = (connection ?? '').split(',').map((each) => each.trim().toLowerCase());
  const dropped = new Set([...hopByHop, ...named, ...besides]);
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (!dropped.has(name.toLowerCase())) headers.push(name, raw[index + 1] ?? '');
  }
  return headers;
}

function refusal(reached: Reached): { readonly status: number; readonly text: string } {
  if (reached.kind === 'denied') return { status: 403, text: `${reached.sentence}\n` };
  if (reached === badTarget) return { status: 400, text: `${badTarget.sentence}\n` };
  return { status: 502, text: reached.kind === 'failed' ? `${reached.sentence}\n` : '' };
}

function refusalText(reached: Reached): string {
  const { status, text } = refusal(reached);
  const reason = status === 403 ? 'Forbidden by the allowlist' : status === 400 ? 'Bad Request' : 'Bad Gateway';
  const length = Buffer.byteLength(text);
  const head = `Content-Type: text/plain\r\nContent-Length: ${length}\r\nConnection: close`;
  return `HTTP/1.1 ${status} ${reason}\r\n${head}\r\n\r\n${text}`;
}
