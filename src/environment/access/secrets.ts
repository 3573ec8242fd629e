/**
 * Gives a command its secrets. Their values go by the standard input of a command of our own into a file in memory
 * (/dev/shm), from which the shell that becomes the command reads them: so they are in no argument, in nothing the engine
 * keeps or logs, and in no other process's environment.
 */
import { randomUUID } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { CoppiceError } from '../../domain/error.ts';
import { type Masking, maskingOf } from '../../domain/mask.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { runInside } from '../container.ts';
import type { Workplace } from '../workplace.ts';
import type { NamedSecret } from './access.ts';

export interface Delivery {
  /** The command that runs another one with its secrets. */
  wrap(command: readonly string[]): readonly string[];
  readonly masking: Masking;
  /** After the command's end, and where it never began. */
  clear(): Promise<void>;
}

export interface Recipient {
  readonly runtime: Runtime;
  readonly containerId: string;
  readonly root: boolean;
}

/** Throws `secret-unresolved`, `secret-not-delivered` (kind `unavailable`); then the command must not run. */
export async function deliverSecrets(
  workplace: Workplace,
  secrets: readonly NamedSecret[],
  recipient: Recipient,
): Promise<Delivery> {
  if (secrets.length === 0) return nothingToDeliver;
  const values = await Promise.all(secrets.map(({ name, reference }) => workplace.resolveSecret(name, reference)));
  const given = secrets.map((secret, index) => ({ ...secret, value: values[index] ?? Buffer.alloc(0) }));
  // Before anybody inside can write them to a file.
  await workplace.rememberSecrets(values);
  const directory = `/dev/shm/coppice-${randomUUID()}`;
  const { runtime, containerId, root } = recipient;
  const remove = async () => {
    await runInside(runtime, containerId, ['rm', '-rf', directory], { root });
  };
  try {
    await send(recipient, directory, given.map((each) => lineFor(each, directory)).join(''));
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
  const files = given.some(({ as }) => as === 'file');
  return {
    wrap: (command) => ['sh', '-c', files ? takeAndKeep : takeAndRemove, 'coppice', directory, ...command],
    masking: maskingOf(values),
    // A container that was stopped meanwhile has no memory of it.
    clear: () => remove().catch(() => undefined),
  };
}

const nothingToDeliver: Delivery = {
  wrap: (command) => command,
  masking: maskingOf([]),
  clear: async () => undefined,
};

/** `$1` is the directory: the shell that becomes the command has no variable of ours. */
const takeAndKeep = '. "$1/secrets" && rm -f "$1/secrets" && shift && exec "$@"';
const takeAndRemove = '. "$1/secrets" && rm -rf "$1" && shift && exec "$@"';
/** mkdir fails where somebody has put something of that name. */
const take = 'umask 077 && mkdir "$0" && cat >"$0/secrets"';

async function send({ runtime, containerId, root }: Recipient, directory: string, script: string): Promise<void> {
  const execution = await runtime.exec(containerId, {
    command: ['sh', '-c', take, directory],
    stdin: true,
    root,
    workdir: '/',
    timeoutSeconds: 60,
  });
  // How it ended says more than a pipe that broke.
  execution.stdin?.on('error', () => undefined);
  execution.stdin?.end(script);
  execution.stdout.resume();
  execution.stderr.resume();
  await Promise.all(
    [finished(execution.stdout), finished(execution.stderr)].map((each) => each.catch(() => undefined)),
  );
  const { status } = await execution.end;
  if (status === 0) return;
  throw new CoppiceError(
    'unavailable',
    'secret-not-delivered',
    `The secrets could not be given: /dev/shm inside cannot be written (status ${status}).`,
    {
      hint: 'Use an image with a shell, or run without the secrets: --without-secrets.',
    },
  );
}

/** printf is the shell's own: a value is no argument of any process. */
function lineFor({ name, as, value }: NamedSecret & { readonly value: Buffer }, directory: string): string {
  const text = value.toString('utf8');
  if (as === 'variable') return `export ${name}=${quote(text.replace(/\r?\n$/, ''))}\n`;
  const file = `${directory}/${name}`;
  return `(umask 077; printf %s ${quote(text)} >${file}) && export ${name}=${file}\n`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
