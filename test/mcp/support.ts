/** A real MCP client, joined over stdio to the built command line, in a real repository. */
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { onTestFinished } from 'vitest';
import { type Cli, coppiceIn, entry } from '../support/coppice.ts';
import { makeRepository, type TestRepository, type TestRepositoryOptions } from '../support/repository.ts';

/** The two generations of the protocol. */
type Era = 'legacy' | 'modern';

export interface Answer {
  readonly text: string;
  readonly failed: boolean;
  readonly document: Readonly<Record<string, unknown>> & {
    readonly schema: string;
    readonly notes?: readonly string[];
    readonly error?: { readonly code: string; readonly kind: string; readonly message: string; readonly hint: string };
  };
}

export interface Connected {
  readonly client: Client;
  /** Addresses that the client was told have changed. */
  readonly updated: readonly string[];
  /** What the person was asked. */
  readonly asked: readonly string[];
  stderr(): string;
  call(name: string, input?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { readonly progress: number; readonly message?: string | undefined }) => void;
}

export interface ConnectOptions {
  readonly era?: Era;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** What a person answers who is asked; without it nobody can be asked. */
  readonly person?: 'agrees' | 'refuses';
}

export async function connect(
  repository: TestRepository,
  { env }: Cli,
  { era = 'legacy', args = [], cwd = repository.path, person }: ConnectOptions = {},
): Promise<Connected> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [entry, 'mcp', ...args],
    cwd,
    env,
    stderr: 'pipe',
  });
  let stderr = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const client = new Client(
    { name: 'test', version: '1' },
    {
      capabilities: person === undefined ? {} : { elicitation: {} },
      versionNegotiation: { mode: era === 'legacy' ? 'legacy' : { pin: '2026-07-28' } },
    },
  );
  const updated: string[] = [];
  const asked: string[] = [];
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri));
  if (person !== undefined) {
    client.setRequestHandler('elicitation/create', ({ params }) => {
      asked.push(params.message);
      return { action: 'accept', content: { agree: person === 'agrees' } };
    });
  }
  onTestFinished(() => client.close());
  await client.connect(transport);
  return {
    client,
    updated,
    asked,
    stderr: () => stderr,
    async call(name, input = {}, options = {}) {
      const result = await client.callTool({ name, arguments: { ...input } }, { timeout: 240_000, ...options });
      return {
        text: result.content.map((each) => (each.type === 'text' ? each.text : '')).join('\n'),
        failed: result.isError === true,
        document: result.structuredContent as Answer['document'],
      };
    },
  };
}

export const lines = (change: Readonly<Record<number, string>> = {}) =>
  Array.from({ length: 20 }, (_, index) => `${change[index + 1] ?? index + 1}\n`).join('');

/** A repository whose environments run in the sandbox; all of them are gone after the test. */
export function scene({ daemon = 'off', ...options }: TestRepositoryOptions & { daemon?: 'off' | 'auto' } = {}) {
  const repository = makeRepository({ files: { 'src/a.ts': lines(), 'README.md': '# A project\n' }, ...options });
  const cli = coppiceIn(repository, { settings: { runtime: 'sandbox', daemon } });
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    for (const { name } of environments) await cli.run(['remove', '-f', name]);
    if (daemon === 'auto') await cli.run(['daemon', 'stop']);
  });
  return { repository, cli };
}
