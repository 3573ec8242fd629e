/** What to tell common MCP clients so that they start this server. Pure. */

export interface Wanted {
  /** What starts this program: executable and leading arguments. */
  readonly program: readonly string[];
  readonly repository: string;
  readonly environment: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface ClientConfiguration {
  readonly name: string;
  /** Where it goes. */
  readonly where: string;
  readonly text: string;
}

/** Clients start servers with little of their own environment; by these coppice finds the engine, its data and its daemon. */
const passedOn = [
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_CONFIG',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'XDG_STATE_HOME',
  'XDG_RUNTIME_DIR',
];

/** The first is what most clients understand. */
export function clientConfigurations(wanted: Wanted): readonly ClientConfiguration[] {
  const [command = 'coppice', ...leading] = wanted.program;
  const bound = wanted.environment === undefined ? [] : ['--environment', wanted.environment];
  const args = [...leading, 'mcp', '--repository', wanted.repository, ...bound];
  const env = Object.fromEntries(
    passedOn.flatMap((name) => (wanted.env[name] ? [[name, wanted.env[name] as string]] : [])),
  );
  const name = wanted.environment === undefined ? 'coppice' : `coppice-${wanted.environment}`;
  const entry = { command, args, ...(Object.keys(env).length > 0 ? { env } : {}) };
  return [
    {
      name: 'Claude Code, Claude Desktop, Cursor, Gemini CLI and most others',
      where: '.mcp.json in the project, claude_desktop_config.json, .cursor/mcp.json, .gemini/settings.json',
      text: pretty({ mcpServers: { [name]: entry } }),
    },
    {
      name: 'VS Code',
      where: '.vscode/mcp.json',
      text: pretty({ servers: { [name]: { type: 'stdio', ...entry } } }),
    },
    {
      name: 'Codex',
      where: '~/.codex/config.toml',
      text: toml(name, entry),
    },
    {
      name: 'opencode',
      where: 'opencode.json',
      text: pretty({
        mcp: {
          [name]: { type: 'local', command: [command, ...args], ...(entry.env ? { environment: entry.env } : {}) },
        },
      }),
    },
    {
      name: 'Zed',
      where: 'settings.json',
      text: pretty({ context_servers: { [name]: { source: 'custom', ...entry } } }),
    },
  ];
}

function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

interface Entry {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** JSON's strings are basic strings of TOML as well. */
function toml(name: string, { command, args, env }: Entry): string {
  const table = `mcp_servers.${/^[\w-]+$/.test(name) ? name : JSON.stringify(name)}`;
  const lines = [
    `[${table}]`,
    `command = ${JSON.stringify(command)}`,
    `args = [${args.map((each) => JSON.stringify(each)).join(', ')}]`,
  ];
  const variables = Object.entries(env ?? {}).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return [...lines, ...(variables.length > 0 ? ['', `[${table}.env]`, ...variables] : [])].join('\n');
}
