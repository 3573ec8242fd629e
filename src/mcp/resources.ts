/** What can be read, and subscribed to: the environments, each one's state and conflicts, and the matrix of all conflicts. */
import { hasCode } from '../domain/error.ts';
import { jsonText } from '../domain/terminal-text.ts';
import { listEnvironments } from '../environment/find.ts';
import { catalog } from '../operations/catalog.ts';
import { failureOf } from '../operations/failure.ts';
import type { AnyOperation, Context } from '../operations/operation.ts';
import { parseInput } from '../operations/parse-input.ts';
import { plainStyle } from '../operations/views.ts';
import type { Client } from './client.ts';
import type { McpServer, ReadResourceResult, ServerContext } from './sdk.ts';
import {
  conflictsUri,
  environmentConflictsTemplate,
  environmentConflictsUri,
  environmentsUri,
  environmentTemplate,
  environmentUri,
} from './uris.ts';

const mimeType = 'application/json';

export function registerResources(server: McpServer, client: Client): void {
  const { environment } = client.scope;
  if (environment === undefined) registerAll(server, client);
  else registerOne(server, client, environment);
}

function registerOne(server: McpServer, client: Client, name: string): void {
  const state = { title: `The environment ${name}`, description: 'What `status` answers.', mimeType };
  const conflicts = { title: `Conflicts of ${name}`, description: 'What `conflicts` answers.', mimeType };
  server.registerResource('environment', environmentUri(name), state, (uri, request) =>
    read(client, request, uri, catalog.status, { name }),
  );
  server.registerResource('environment-conflicts', environmentConflictsUri(name), conflicts, (uri, request) =>
    read(client, request, uri, catalog.conflicts, { names: [name] }),
  );
}

function registerAll(server: McpServer, client: Client): void {
  const { ResourceTemplate } = client.sdk;
  const list = { title: 'Environments', description: 'What `list` answers.', mimeType };
  server.registerResource('environments', environmentsUri, list, (uri, request) =>
    read(client, request, uri, catalog.list, {}),
  );
  const matrix = { title: 'Conflicts', description: 'Who conflicts with whom: what `conflicts` answers.', mimeType };
  server.registerResource('conflicts', conflictsUri, matrix, (uri, request) =>
    read(client, request, uri, catalog.conflicts, {}),
  );
  const names = (request: ServerContext) => namesIn(client, request.mcpReq.signal);
  const complete = {
    name: async (begun: string) => (await namesIn(client, client.gone)).filter((name) => name.startsWith(begun)),
  };
  const each = (uriOf: (name: string) => string, title: (name: string) => string) => ({
    complete,
    list: async (request: ServerContext) => ({
      resources: (await names(request)).map((name) => ({
        uri: uriOf(name),
        name,
        title: title(name),
      })),
    }),
  });
  server.registerResource(
    'environment',
    new ResourceTemplate(
      environmentTemplate,
      each(environmentUri, (name) => `The environment ${name}`),
    ),
    { title: 'An environment', description: 'What `status` answers.', mimeType },
    (uri, { name }, request) => read(client, request, uri, catalog.status, { name }),
  );
  server.registerResource(
    'environment-conflicts',
    new ResourceTemplate(
      environmentConflictsTemplate,
      each(environmentConflictsUri, (name) => `Conflicts of ${name}`),
    ),
    { title: 'Conflicts of an environment', description: 'What `conflicts` answers for it.', mimeType },
    (uri, { name }, request) => read(client, request, uri, catalog.conflicts, { names: [name] }),
  );
}

async function namesIn(client: Client, signal: AbortSignal): Promise<readonly string[]> {
  return within(client, signal, async (context) =>
    (await listEnvironments(await context.workplace())).map(({ name }) => name as string),
  );
}

async function read(
  client: Client,
  { mcpReq }: ServerContext,
  uri: URL,
  load: () => Promise<AnyOperation>,
  given: Readonly<Record<string, unknown>>,
): Promise<ReadResourceResult> {
  client.changes.follow();
  const operation = await load();
  const output = await within(client, mcpReq.signal, (context) =>
    operation.run(
      context,
      parseInput(operation, given, ({ key }) => key),
    ),
  ).catch((error: unknown) => {
    throw asProtocolError(client, uri, error);
  });
  const text = jsonText({ schema: `coppice.${operation.name}/${operation.version}`, ...output });
  return { contents: [{ uri: uri.href, mimeType, text }] };
}

function asProtocolError({ sdk }: Client, uri: URL, error: unknown): Error {
  if (hasCode(error, 'environment-not-found') || hasCode(error, 'bad-environment-name')) {
    return new sdk.ResourceNotFoundError(uri.href, error.message);
  }
  const { text, document } = failureOf(error, plainStyle);
  return new sdk.ProtocolError(sdk.ProtocolErrorCode.InternalError, text.trimEnd(), document.error);
}

async function within<Result>(
  client: Client,
  signal: AbortSignal,
  body: (context: Context) => Promise<Result>,
): Promise<Result> {
  const context = client.open({
    report: client.report,
    emit: () => undefined,
    signal: AbortSignal.any([signal, client.gone]),
  });
  try {
    return await client.track(body(context));
  } finally {
    await context.close();
  }
}
