/** What `coppice mcp --config` prints starts the server it is about. */
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { expect, it, onTestFinished } from 'vitest';
import { clientConfigurations } from '../../src/operations/client-configurations.ts';
import { scene } from './support.ts';

interface Entry {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

it('prints an entry that a client starts the server with, in whatever little environment', async () => {
  const { repository, cli } = scene();
  await cli.json(['create', 'a']);
  const { stdout } = await cli.run(['mcp', '--config', '--environment', 'a']);
  const { mcpServers } = JSON.parse(stdout) as { mcpServers: Record<string, Entry> };
  const { command, args, env } = mcpServers['coppice-a'] ?? { command: '', args: [], env: {} };
  expect(args.slice(1)).toEqual(['mcp', '--repository', repository.path, '--environment', 'a']);
  const { PATH = '', HOME = '' } = cli.env;
  const transport = new StdioClientTransport({
    command,
    args,
    env: { PATH, HOME, ...env },
    cwd: '/',
    stderr: 'ignore',
  });
  const client = new Client({ name: 'test', version: '1' });
  onTestFinished(() => client.close());
  await client.connect(transport);
  const { structuredContent } = await client.callTool({ name: 'status', arguments: {} });
  expect(structuredContent).toMatchObject({ name: 'a', state: 'running' });
});

it('writes it for each common client, with what has to be quoted quoted', () => {
  const wanted = {
    program: ['/usr/bin/node', '/opt/cop "pice"/main.js'],
    repository: '/home/ann/my project',
    environment: undefined,
    env: { DOCKER_HOST: 'unix:///run/docker.sock', HOME: '/home/ann', XDG_RUNTIME_DIR: '' },
  };
  const texts = new Map(clientConfigurations(wanted).map(({ name, text }) => [name.split(',')[0], text]));
  const args = ['/opt/cop "pice"/main.js', 'mcp', '--repository', '/home/ann/my project'];
  const env = { DOCKER_HOST: 'unix:///run/docker.sock' };
  const entry = { command: '/usr/bin/node', args, env };
  expect(JSON.parse(texts.get('Claude Code') ?? '')).toEqual({ mcpServers: { coppice: entry } });
  expect(JSON.parse(texts.get('VS Code') ?? '')).toEqual({ servers: { coppice: { type: 'stdio', ...entry } } });
  expect(JSON.parse(texts.get('opencode') ?? '')).toEqual({
    mcp: { coppice: { type: 'local', command: ['/usr/bin/node', ...args], environment: env } },
  });
  expect(texts.get('Codex')).toBe(
    [
      '[mcp_servers.coppice]',
      'command = "/usr/bin/node"',
      'args = ["/opt/cop \\"pice\\"/main.js", "mcp", "--repository", "/home/ann/my project"]',
      '',
      '[mcp_servers.coppice.env]',
      'DOCKER_HOST = "unix:///run/docker.sock"',
    ].join('\n'),
  );
});
