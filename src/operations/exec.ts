/** `exec`: a command inside; its exit status is ours. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import type { NamedSecret } from '../environment/access/access.ts';
import type { Environment } from '../environment/environment.ts';
import { execInside } from '../environment/exec.ts';
import { findEnvironment } from '../environment/find.ts';
import { waitUntilReady } from '../environment/ready.ts';
import { takeUntold } from '../environment/told.ts';
import type { Workplace } from '../environment/workplace.ts';
import type { Execution } from '../runtime/runtime.ts';
import { leakView, renderLeaks } from './leak-view.ts';
import { deniedView, summarizeDenied } from './network-view.ts';
import { type Context, flag, nameArgument, operation } from './operation.ts';
import { namedSecrets, parseSecrets, secretFacts, secretFileFacts } from './secret-options.ts';
import { reasons } from './tool.ts';
import { heldView, plainStyle, renderHeld } from './views.ts';

export const exec = operation({
  name: 'exec',
  summary: 'Run a command inside an environment; output streams, the exit status passes through',
  details:
    'What it changed is checkpointed when it ends, with the command as the cause. stdin is passed on unless it is a terminal.',
  effect: 'write',
  tool: {
    title: 'Run a command in an environment',
    idempotent: false,
    openWorld: true,
    bindable: true,
    without: {
      tty: reasons.terminal,
      showSecrets: 'agents see secrets masked',
    },
    asks: {
      secret: reasons.secret,
      secretFile: reasons.secret,
    },
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    command: flag(z.array(z.string()), {
      help: 'The command and its arguments.',
      place: 'rest',
      value: 'CMD',
    }),
    root: flag(z._default(z.boolean(), false), { help: 'As root, where the environment allows it.' }),
    env: flag(z._default(z.array(z.string()), []), {
      help: 'Set a variable, K=V; repeatable.',
      short: '-e',
      value: 'K=V',
    }),
    secret: flag(z._default(z.array(z.string()), []), secretFacts),
    secretFile: flag(z._default(z.array(z.string()), []), secretFileFacts),
    withoutSecrets: flag(z._default(z.boolean(), false), { help: 'Without the secrets of the environment.' }),
    showSecrets: flag(z._default(z.boolean(), false), {
      help: 'Do not mask secrets in the output as it streams. What is stored is masked all the same.',
    }),
    timeout: flag(z.optional(z.coerce.number().check(z.positive())), {
      help: 'Seconds until the whole process tree inside is ended; the status is then 124.',
      value: 'S',
    }),
    tty: flag(z._default(z.boolean(), false), { help: 'With a terminal.', short: '-t' }),
  }),
  async run(context, input) {
    if (input.command.length === 0) {
      throw new CoppiceError('usage', 'no-command', 'There is no command to run.', {
        hint: 'Put it after two dashes: coppice exec NAME -- npm test',
      });
    }
    const workplace = await context.workplace();
    const environment = await waitUntilReady(workplace, await findEnvironment(workplace, input.name), context.signal);
    const done = await runStreaming(context, workplace, environment, {
      command: input.command,
      root: input.root,
      environment: parseVariables(input.env),
      secrets: await namedSecrets(workplace, parseSecrets(input, context.surroundings.cwd)),
      withoutSecrets: input.withoutSecrets,
      showSecrets: input.showSecrets,
      tty: input.tty,
      ...(input.timeout === undefined ? {} : { timeoutSeconds: input.timeout }),
    });
    return {
      name: environment.name as string,
      id: done.id,
      exit: done.end.status,
      timedOut: done.end.timedOut,
      oomKilled: done.end.oomKilled,
      failedToStart: done.end.failedToStart ?? null,
      checkpoint: (done.checkpoint ?? null) as string | null,
      held: heldView(done.held),
      leaks: leakView(done.leaks),
      problem: done.notImported === undefined ? null : done.notImported.message,
      denied: deniedView(done.denied),
      stdout: done.stdout,
      stderr: done.stderr,
    };
  },
  // The command's own output has been streamed; only what would otherwise go unnoticed is added.
  render: () => '',
  renderWhole: ({ exit, stdout, stderr }) =>
    [`exit status ${exit}`, stdout, ...(stderr === '' ? [] : ['stderr:', stderr])].join('\n').trimEnd(),
  exitStatus: ({ exit }) => exit,
});

interface Streaming {
  readonly command: readonly string[];
  readonly label?: string;
  readonly root: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets?: readonly NamedSecret[];
  readonly withoutSecrets?: boolean;
  readonly showSecrets?: boolean;
  readonly tty: boolean;
  readonly timeoutSeconds?: number;
}

/** The third interrupt ends the whole process tree inside. */
const patience = 3;

/** Joins the caller's streams, terminal and signals to a command inside. */
export async function runStreaming(
  context: Context,
  workplace: Workplace,
  environment: Environment,
  options: Streaming,
) {
  const { streams } = context;
  const terminal = options.tty ? streams?.terminal : undefined;
  if (options.tty && terminal === undefined) {
    throw new CoppiceError('usage', 'no-terminal', 'There is no terminal to join.', {
      hint: 'Leave --tty out, or run it from a terminal.',
    });
  }
  const ending: (() => void)[] = [];
  const giveUp = new AbortController();
  const joined = (execution: Execution) => {
    if (terminal !== undefined) {
      ending.push(terminal.raw());
      ending.push(terminal.onResize(() => void execution.resize(terminal.size()).catch(() => undefined)));
    }
    let interrupts = 0;
    const forward = (name: NodeJS.Signals) => {
      if (name === 'SIGINT') interrupts += 1;
      // A program may have its own idea of an interrupt; somebody who insists means it.
      if (interrupts >= patience) giveUp.abort();
      else void execution.signal(name).catch(() => undefined);
    };
    if (streams !== undefined) ending.push(streams.onSignal(forward));
  };
  try {
    const done = await execInside(workplace, environment, {
      command: options.command,
      root: options.root,
      environment: options.environment,
      onStart: joined,
      signal: giveUp.signal,
      secrets: options.secrets ?? [],
      withoutSecrets: options.withoutSecrets ?? false,
      showSecrets: options.showSecrets ?? false,
      ...(context.confirm === undefined ? {} : { confirm: context.confirm }),
      ...(options.label === undefined ? {} : { label: options.label }),
      ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: options.timeoutSeconds }),
      ...(terminal === undefined ? {} : { terminal: terminal.size() }),
      ...(streams !== undefined && (streams.passStdin || terminal !== undefined) ? { stdin: streams.stdin } : {}),
      ...(streams === undefined ? {} : { stdout: streams.stdout, stderr: streams.stderr }),
    });
    narrate(context, environment, options, done);
    await tellHeld(context, workplace, environment, done);
    return done;
  } finally {
    for (const end of ending) end();
  }
}

function outOfMemory({ name, record }: Environment): string {
  const { memory } = record.spec.limits;
  const limit = memory === undefined ? '' : ` of ${Math.round(memory / 2 ** 20)} MiB`;
  return `Out of memory: something in ${name} met its limit${limit} and was killed; \`coppice create --memory\` sets another.`;
}

function narrate(
  context: Context,
  environment: Environment,
  options: Streaming,
  done: Awaited<ReturnType<typeof execInside>>,
) {
  const [program = ''] = options.command;
  if (done.end.failedToStart !== undefined) {
    const why = done.end.failedToStart === 'not-found' ? 'was not found inside' : 'is not executable inside';
    context.report(`${program} ${why} ${environment.name}.`);
  }
  if (done.end.oomKilled) context.report(outOfMemory(environment));
  if (done.end.timedOut) context.report(`Ended after ${options.timeoutSeconds} s.`);
  if (done.notImported !== undefined)
    context.report(`Commits inside are not brought out yet: ${done.notImported.message}`);
  if (done.denied.length > 0) context.report(summarizeDenied(environment.name, deniedView(done.denied)));
}

/** In full what is new; of the rest that it is still so. */
async function tellHeld(
  context: Context,
  workplace: Workplace,
  environment: Environment,
  { held, leaks }: Awaited<ReturnType<typeof execInside>>,
): Promise<void> {
  const heldNow = heldView(held);
  const leaksNow = leakView(leaks);
  const facts = [...heldNow, ...leaksNow].map((each) => JSON.stringify(each));
  const fresh = await takeUntold(workplace, environment, facts);
  const isFresh = (each: object) => fresh.has(JSON.stringify(each));
  const parts = [
    renderHeld(heldNow.filter(isFresh), plainStyle),
    renderLeaks(leaksNow.filter(isFresh), plainStyle),
    stillLine(environment.name, facts.length - fresh.size),
  ];
  for (const part of parts) if (part !== '') context.report(part);
}

function stillLine(name: string, others: number): string {
  if (others === 0) return '';
  return `  held as before: ${others} (\`coppice status ${name}\` lists them)`;
}

function parseVariables(given: readonly string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const each of given) {
    const at = each.indexOf('=');
    if (at < 1) {
      throw new CoppiceError('usage', 'bad-variable', `${JSON.stringify(each)} sets no variable.`, {
        hint: 'Write -e NAME=value.',
      });
    }
    variables[each.slice(0, at)] = each.slice(at + 1);
  }
  return variables;
}
