/** `shell`: an interactive shell inside. */
import * as z from 'zod/mini';
import { findEnvironment } from '../environment/find.ts';
import { waitUntilReady } from '../environment/ready.ts';
import { runStreaming } from './exec.ts';
import { flag, nameArgument, operation } from './operation.ts';

/** bash where the image has it; the user sees where they are. */
const command = ['sh', '-c', 'if command -v bash >/dev/null 2>&1; then exec bash -i; else exec sh -i; fi'];

export const shell = operation({
  name: 'shell',
  summary: 'Open a shell inside an environment',
  effect: 'write',
  tool: { withheld: 'it needs a terminal; exec runs commands' },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    root: flag(z._default(z.boolean(), false), { help: 'As root, where the environment allows it.' }),
    withoutSecrets: flag(z._default(z.boolean(), false), { help: 'Without the secrets of the environment.' }),
  }),
  async run(context, { name, root, withoutSecrets }) {
    const workplace = await context.workplace();
    const environment = await waitUntilReady(workplace, await findEnvironment(workplace, name), context.signal);
    const tty = context.streams?.terminal !== undefined;
    const variables: Record<string, string> = { PS1: `${environment.name}:\\w\\$ ` };
    const { TERM } = context.surroundings.env;
    if (TERM !== undefined) variables.TERM = TERM;
    const done = await runStreaming(context, workplace, environment, {
      command,
      label: 'shell',
      root,
      environment: variables,
      withoutSecrets,
      tty,
    });
    return {
      name: environment.name as string,
      exit: done.end.status,
      checkpoint: (done.checkpoint ?? null) as string | null,
    };
  },
  render: () => '',
  exitStatus: ({ exit }) => exit,
});
