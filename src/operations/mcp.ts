/** `mcp`: the other operations as tools for agents, and the state of environments to read and subscribe to. */
import { resolve } from 'node:path';
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { findEnvironment } from '../environment/find.ts';
import { clientConfigurations } from './client-configurations.ts';
import { type Context, flag, operation } from './operation.ts';

export const mcp = operation({
  name: 'mcp',
  summary: 'Serve the environments of a repository to an agent’s client, over MCP on stdin and stdout',
  details:
    'For clients to start: --config prints what to paste. It runs on your machine, beside the client, never in a container. Inputs that reach for this machine are asked of you by the client, or refused where it cannot ask.',
  effect: 'write',
  tool: { withheld: 'it is the server' },
  version: 1,
  input: z.strictObject({
    environment: flag(z.optional(z.string()), {
      help: 'Bind it to one environment: nothing else can be touched, and NAME is implied.',
      value: 'NAME',
    }),
    repository: flag(z.optional(z.string()), {
      help: 'The repository. Default: the one it is started in.',
      value: 'DIR',
    }),
    config: flag(z._default(z.boolean(), false), { help: 'Only print how to tell common clients of it.' }),
  }),
  speaks: ({ config }) => !config,
  async run(context, { environment, repository, config }) {
    const cwd = resolve(context.surroundings.cwd, repository ?? '.');
    const inside = context.within({ ...context.surroundings, cwd });
    try {
      // What was asked for has to be there; otherwise each call says what is wrong, where an agent and its person see it.
      if (config || repository !== undefined || environment !== undefined) await inside.workplace();
      const bound = environment === undefined ? undefined : await nameOf(inside, environment);
      if (config) return { clients: await configurations(inside, bound), served: false };
      await serve(inside, bound);
      return { clients: [], served: true };
    } finally {
      await inside.close();
    }
  },
  render: ({ clients }, style) =>
    clients.map(({ name, where, text }) => `${style.bold(name)}\n${style.dim(where)}\n${text}`).join('\n\n'),
  exact: ({ clients }) => (clients[0] === undefined ? undefined : `${clients[0].text}\n`),
});

async function nameOf(context: Context, environment: string): Promise<string> {
  return (await findEnvironment(await context.workplace(), environment)).name;
}

async function configurations(context: Context, environment: string | undefined) {
  const { repository } = await context.workplace();
  return clientConfigurations({
    program: context.program.length > 0 ? context.program : ['coppice'],
    repository: repository.worktree ?? repository.commonDirectory,
    environment,
    env: context.surroundings.env,
  });
}

async function serve(context: Context, environment: string | undefined): Promise<void> {
  const { streams } = context;
  if (streams === undefined) {
    throw new CoppiceError('usage', 'no-streams', 'There is nobody to serve: no stdin and stdout were given.', {
      hint: 'Give openCoppice stdin, stdout and stderr.',
    });
  }
  if (!streams.passStdin) {
    context.report(
      'Speaks MCP on stdin and stdout, for a client to start; `coppice mcp --config` prints how. Ctrl-C ends it.',
    );
  }
  await context.serveClient(environment);
}
