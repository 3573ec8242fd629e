/** Makes the server that a client talks to: tools from the catalog of operations, resources, subscriptions. */
import { catalog, operationNames } from '../operations/catalog.ts';
import type { AnyOperation } from '../operations/operation.ts';
import { version } from '../version.ts';
import { callTool } from './call-tool.ts';
import type { Client } from './client.ts';
import { instructionsFor } from './instructions.ts';
import { registerResources } from './resources.ts';
import { factsOf } from './scope.ts';
import type { McpServer } from './sdk.ts';
import { inputSchemaOf, outputSchemaOf, unchecked } from './tool-schema.ts';

export interface MadeServer {
  readonly server: McpServer;
  updated(uri: string): void;
  listChanged(): void;
}

/** `makeClient` gets the server because a client of the older protocol says what it can do only once. */
export async function makeServer(
  era: 'legacy' | 'modern',
  { sdk: { McpServer }, scope, seal }: Pick<Client, 'sdk' | 'scope' | 'seal'>,
  makeClient: (server: McpServer) => Client,
): Promise<MadeServer> {
  const server = new McpServer(
    { name: 'coppice', title: 'Coppice', version },
    {
      capabilities: { tools: {}, logging: {}, resources: { subscribe: true, listChanged: true } },
      instructions: instructionsFor(scope),
      requestState: { verify: (state, request) => seal.verify(state, request) },
    },
  );
  const client = makeClient(server);
  for (const name of operationNames) registerTool(server, client, await catalog[name]());
  registerResources(server, client);
  // The newer protocol has subscriptions of its own, which the library keeps.
  const subscribed = era === 'legacy' ? keepSubscriptions(server) : undefined;
  return {
    server,
    updated(uri) {
      if (subscribed !== undefined && !subscribed.has(uri)) return;
      void server.server.sendResourceUpdated({ uri }).catch(unheard);
    },
    listChanged: () => server.sendResourceListChanged(),
  };
}

/** The client went away in between. */
const unheard = () => undefined;

function registerTool(server: McpServer, client: Client, operation: AnyOperation): void {
  const facts = factsOf(operation, client.scope);
  if (facts === undefined) return;
  const { name, summary, details, effect } = operation;
  server.registerTool(
    name,
    {
      title: facts.title,
      description: details === undefined ? `${summary}.` : `${summary}. ${details}`,
      inputSchema: unchecked(inputSchemaOf(operation, facts, client.scope)),
      outputSchema: unchecked(outputSchemaOf(operation)),
      annotations: {
        title: facts.title,
        readOnlyHint: effect === 'read',
        destructiveHint: effect === 'destroy',
        idempotentHint: facts.idempotent,
        openWorldHint: facts.openWorld,
      },
    },
    (given, request) =>
      client.track(callTool(client, operation, facts, given as Readonly<Record<string, unknown>>, request)),
  );
}

function keepSubscriptions({ server }: McpServer): ReadonlySet<string> {
  const uris = new Set<string>();
  server.setRequestHandler('resources/subscribe', ({ params: { uri } }) => {
    uris.add(uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
    uris.delete(uri);
    return {};
  });
  return uris;
}
