/** The few reads of the engine that must be quick, over plain node:http: loading dockerode takes longer than they do. */
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { type StartOptions, start } from '../../platform/process.ts';
import type { Endpoint } from './endpoint.ts';

/** The engine answered, and said no. Has the shape of dockerode's errors, so that one translation serves both. */
export class EngineRefusal extends Error {
  readonly statusCode: number;
  constructor(statusCode: number, message: string) {
    super(message);
    this.name = 'EngineRefusal';
    this.statusCode = statusCode;
  }
}

export interface EngineClient {
  readonly endpoint: Endpoint;
  /** Connections, for dockerode as well. Bounded: 300 calls at once would hold 300 sockets open. */
  readonly agent: Agent;
  /** GET of a JSON document. Throws EngineRefusal, or what the connection says. */
  get(path: string, timeout?: number): Promise<unknown>;
  /** GET of anything that is small. */
  bytes(path: string, timeout?: number): Promise<Buffer>;
  close(): void;
}

const maxSockets = 64;

/** `env` is for `ssh`, where the endpoint is one. */
export function engineClient(endpoint: Endpoint, env: Readonly<Record<string, string>>): EngineClient {
  const agent = makeAgent(endpoint, env);
  const { way } = endpoint;
  const secure = way.kind === 'tcp' && way.tls !== undefined;
  const target: RequestOptions =
    way.kind === 'socket' ? { socketPath: way.path } : way.kind === 'tcp' ? { host: way.host, port: way.port } : {};
  const bytes = async (path: string, timeout = 20_000): Promise<Buffer> => {
    const signal = AbortSignal.timeout(timeout);
    const options: RequestOptions = { ...target, agent, path, method: 'GET', signal, headers: { Host: 'docker' } };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      (secure ? httpsRequest : httpRequest)(options, resolve).on('error', reject).end();
    });
    const body = await buffer(response);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw new EngineRefusal(status, refusalText(body.toString('utf8')));
    return body;
  };
  const get = async (path: string, timeout?: number): Promise<unknown> =>
    JSON.parse((await bytes(path, timeout)).toString('utf8'));
  return { endpoint, agent, get, bytes, close: () => agent.destroy() };
}

function refusalText(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  } catch {
    // Not the engine's JSON, so something in between: its text is all there is.
  }
  return body.trim();
}

function makeAgent({ way }: Endpoint, env: Readonly<Record<string, string>>): Agent {
  if (way.kind === 'socket') return new Agent({ maxSockets });
  if (way.kind === 'ssh') {
    const port = way.port === undefined ? [] : ['-p', way.port];
    const args = [...port, '-o', 'BatchMode=yes', '-T', '--', way.destination, 'docker', 'system', 'dial-stdio'];
    return Object.assign(new Agent({ maxSockets: 8, keepAlive: true }), {
      createConnection: (_: unknown, done: (error: Error | null, socket?: Duplex) => void) => {
        throughProcess('ssh', args, { env }).then((socket) => done(null, socket), done);
      },
    });
  }
  if (way.tls === undefined) return new Agent({ maxSockets, keepAlive: true });
  const { ca, cert, key, verify } = way.tls;
  return new SecureAgent({
    maxSockets,
    keepAlive: true,
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
}

/** A connection whose other end is a program's standard streams: the docker client's own way through ssh. */
async function throughProcess(command: string, args: readonly string[], options: StartOptions): Promise<Duplex> {
  const child = await start(command, args, options);
  const said = text(child.stderr);
  const socket = new Duplex({
    read: () => void child.stdout.resume(),
    write: (chunk: Buffer, _, done) => void child.stdin.write(chunk, () => done()),
    final: (done) => void child.stdin.end(() => done()),
    destroy: (error, done) => {
      child.kill();
      done(error);
    },
  });
  child.stdout.on('data', (chunk: Buffer) => {
    if (!socket.push(chunk)) child.stdout.pause();
  });
  // Its status tells an end from a failure, so it is waited for; then its last words are the reason.
  child.stdout.once('end', async () => {
    if ((await child.exit) === 0) socket.push(null);
    else socket.destroy(new Error((await said).trim() || `${command} ended`));
  });
  // What node:http calls on every socket, and a pair of pipes does not have.
  const same = () => socket;
  return Object.assign(socket, { setNoDelay: same, setKeepAlive: same, setTimeout: same, ref: same, unref: same });
}
