/** Serves one client over a pair of streams, until it hangs up; its calls are ended and waited for before that is the end. */
import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { followChanges } from './changes.ts';
import type { Client, OpenContext } from './client.ts';
import { makeNotes } from './notes.ts';
import type { Seal } from './person.ts';
import type { Scope } from './scope.ts';
import { type ClientCapabilities, loadSdk, type McpServer, type Sdk, type ServerContext } from './sdk.ts';
import { type MadeServer, makeServer } from './server.ts';

export interface Serving {
  readonly scope: Scope;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** For the client's log of this server. */
  readonly report: (line: string) => void;
  readonly open: OpenContext;
  readonly signal: AbortSignal;
}

/** Seconds that a person may take for one answer. */
const longestRound = 86_400;
/** Milliseconds for calls to undo what they had begun. */
const patience = 20_000;

export async function serve({ scope, stdin, stdout, report, open, signal }: Serving): Promise<void> {
  const sdk = await loadSdk();
  const seal: Seal = sdk.createRequestStateCodec({ key: randomBytes(32), ttlSeconds: longestRound });
  const gone = new AbortController();
  const running = new Set<Promise<unknown>>();
  let made: MadeServer | undefined;
  const notes = makeNotes(scope.environment !== undefined);
  const changes = followChanges(
    { open, signal: gone.signal, report, only: scope.environment },
    {
      updated: (uri) => made?.updated(uri),
      listChanged: () => made?.listChanged(),
      held: (name, held) => notes.heard(name, held),
    },
  );
  const client = (server: McpServer): Client => ({
    scope,
    sdk,
    inputRequired: sdk.inputRequired,
    seal,
    open,
    notes,
    changes,
    report,
    gone: gone.signal,
    capabilities: (request) => capabilitiesOf(server, request),
    track: (call) => {
      running.add(call);
      const done = () => void running.delete(call);
      call.then(done, done);
      return call;
    },
  });

  const transport = new sdk.StdioServerTransport(stdin, stdout);
  const handle = sdk.serveStdio(
    async ({ era }) => {
      made = await makeServer(era, { sdk, scope, seal }, client);
      return made.server;
    },
    { transport, onerror: ({ message }) => report(message) },
  );
  await closed(transport, signal, () => changes.follow());
  gone.abort();
  await Promise.race([Promise.allSettled([...running, changes.ended()]), pause(patience, undefined, { ref: false })]);
  await handle.close();
}

type Transport = InstanceType<Sdk['StdioServerTransport']>;

/** Resolves when the client has hung up, or with the signal. Who subscribes wants to be told by somebody. */
function closed(transport: Transport, signal: AbortSignal, subscribed: () => void): Promise<void> {
  return new Promise((resolve) => {
    const { onclose, onmessage } = transport;
    transport.onclose = () => {
      onclose?.();
      resolve();
    };
    transport.onmessage = (message) => {
      if ('method' in message && ['subscriptions/listen', 'resources/subscribe'].includes(message.method)) subscribed();
      onmessage?.(message);
    };
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const capabilitiesKey = 'io.modelcontextprotocol/clientCapabilities';
type Envelope = { readonly [capabilitiesKey]?: ClientCapabilities };

function capabilitiesOf({ server }: McpServer, { mcpReq }: ServerContext): ClientCapabilities | undefined {
  // With each request, in the newer protocol; only once, when it connects, in the older.
  return (mcpReq.envelope as Envelope | undefined)?.[capabilitiesKey] ?? server.getClientCapabilities();
}
