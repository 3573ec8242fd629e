/** Runs a command inside an environment: streams, records, and checkpoints what it changed. */
import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Held } from '../domain/change.ts';
import type { ExecRecord } from '../domain/environment.ts';
import { CoppiceError } from '../domain/error.ts';
import { type Mask, type Masking, maskingOf } from '../domain/mask.ts';
import type { Denial } from '../domain/network.ts';
import type { Oid } from '../domain/oid.ts';
import type { Leak } from '../git/leaks.ts';
import type { ExecEnd, ExecRequest, Execution, Runtime } from '../runtime/runtime.ts';
import type { NamedSecret } from './access/access.ts';
import { type Confirm, requireApprovedEnvironment } from './access/approval.ts';
import { denialsOf, deniedBetween } from './access/network.ts';
import { type Delivery, deliverSecrets } from './access/secrets.ts';
import { bringInOutside } from './commit.ts';
import { layoutOf, runInside, runningContainer } from './container.ts';
import type { Environment } from './environment.ts';
import { Excerpt } from './excerpt.ts';
import { findLeaks } from './leaks.ts';
import { type Reconciled, reconcile, saveEdits } from './reconcile.ts';
import { type RecordFile, updateRecord } from './record.ts';
import { describeCommand, noteExec } from './running-execs.ts';
import type { Workplace } from './workplace.ts';

export interface ExecOptions {
  readonly command: readonly string[];
  /** What the checkpoints and the record call it, where the command itself says little. */
  readonly label?: string;
  readonly root?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutSeconds?: number;
  readonly terminal?: { readonly rows: number; readonly columns: number };
  readonly signal?: AbortSignal;
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** On top of the environment's own. */
  readonly secrets?: readonly NamedSecret[];
  /** Without the environment's own. */
  readonly withoutSecrets?: boolean;
  /** Show secrets on the way to the caller's streams; what is stored is masked all the same. */
  readonly showSecrets?: boolean;
  /** For what is not approved yet. */
  readonly confirm?: Confirm;
  /** Called once it runs: for resizes and signals. */
  readonly onStart?: (execution: Execution) => void;
}

export interface Executed {
  readonly id: string;
  readonly end: ExecEnd;
  /** First and last 128 KiB of each. */
  readonly stdout: string;
  readonly stderr: string;
  readonly checkpoint: Oid | undefined;
  readonly held: readonly Held[];
  /** What looks like a secret in commits made inside. */
  readonly leaks: readonly Leak[];
  readonly notImported: CoppiceError | undefined;
  /** What it asked of the network and was not given. */
  readonly denied: readonly Denial[];
}

export async function execInside(
  workplace: Workplace,
  environment: Environment,
  options: ExecOptions,
): Promise<Executed> {
  const { runtime, container } = await runningContainer(workplace, environment);
  if (options.root && !environment.record.spec.root) throw rootRefused(environment);
  const access = await requireApprovedEnvironment(workplace, environment, options.confirm);
  if (environment.at.outside !== undefined) await bringInOutside(workplace, environment);
  // It must not be put down to this command.
  const checkpointer = await saveEdits(workplace, environment);
  const deniedBefore = await denialsOf(workplace, environment, runtime, container);
  const secrets = [...(options.withoutSecrets ? [] : access.secrets), ...(options.secrets ?? [])];
  const recipient = { runtime, containerId: container.id, root: options.root ?? false };
  const delivery = await deliverSecrets(workplace, latestOf(secrets), recipient);
  const shown = shownCommand(options).map(delivery.masking.text);
  const id = newExecId(workplace.now());
  const startedAt = workplace.now();
  const forget = await noteExec(workplace, environment.name, id, shown).catch(async (error: unknown) => {
    await delivery.clear();
    throw error;
  });
  const output = { stdout: new Excerpt(), stderr: new Excerpt() };
  let end: ExecEnd;
  let after: Reconciled;
  try {
    try {
      const execution = await runtime.exec(container.id, requestOf(options, delivery));
      options.onStart?.(execution);
      end = await stream(execution, options, output, delivery.masking);
    } finally {
      await delivery.clear();
    }
    // A process that root left behind may have gone on writing.
    if (environment.record.spec.root) await giveBack(workplace, environment, runtime, container.id);
    // Still noted: should the daemon be the first to see the last changes, it names the same cause.
    after = await reconcile(workplace, environment, {
      cause: causeOfEnd(shown, end),
      execs: [id],
      ...(checkpointer === undefined ? {} : { checkpointer }),
    });
  } finally {
    await checkpointer?.close();
    await forget();
  }
  const record: ExecRecord = {
    id,
    command: [...shown],
    startedAt: startedAt.toISOString(),
    endedAt: workplace.now().toISOString(),
    exit: end.status,
    timedOut: end.timedOut,
    outputBytes: output.stdout.total + output.stderr.total,
  };
  await recordExec(workplace, environment, record, output.stdout, output.stderr);
  return {
    id,
    end,
    stdout: output.stdout.text(),
    stderr: output.stderr.text(),
    checkpoint: after.checkpoint,
    held: after.held,
    leaks: await findLeaks(workplace, after.environment),
    notImported: after.notImported,
    denied: deniedBetween(deniedBefore, await denialsOf(workplace, environment, runtime, container)),
  };
}

function shownCommand({ label, command }: ExecOptions): readonly string[] {
  return label === undefined ? command : [label];
}

/** Of two with one name the latter, which somebody asked for by hand. */
function latestOf(secrets: readonly NamedSecret[]): readonly NamedSecret[] {
  return [...new Map(secrets.map((secret) => [secret.name, secret])).values()];
}

function causeOfEnd(shown: readonly string[], end: ExecEnd): string {
  const how = end.timedOut ? ' (timed out)' : end.status === 0 ? '' : ` (exit ${end.status})`;
  return `exec ${describeCommand(shown)}${how}`;
}

/** What root made in the tree becomes the user's: else nobody on the host could edit or remove it. */
async function giveBack(workplace: Workplace, environment: Environment, runtime: Runtime, id: string): Promise<void> {
  const { uid, gid } = workplace.surroundings;
  const { tree, home } = await layoutOf(workplace, environment, runtime);
  const script = 'find "$@" -xdev ! -uid "$COPPICE_UID" -exec chown -h "$COPPICE_UID:$COPPICE_GID" {} +';
  const variables = { COPPICE_UID: String(uid), COPPICE_GID: String(gid) };
  await runInside(runtime, id, ['sh', '-c', script, 'sh', tree, home], { root: true, environment: variables });
}

function requestOf(options: ExecOptions, delivery: Delivery): ExecRequest {
  return {
    command: delivery.wrap(options.command),
    stdin: options.stdin !== undefined,
    root: options.root ?? false,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    ...(options.terminal === undefined ? {} : { terminal: options.terminal }),
    ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: options.timeoutSeconds }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
}

async function stream(
  execution: Execution,
  options: ExecOptions,
  output: { readonly stdout: Excerpt; readonly stderr: Excerpt },
  masking: Masking,
): Promise<ExecEnd> {
  const input = options.stdin;
  if (input !== undefined && execution.stdin !== undefined) {
    // The command may end without reading its input: that is its right.
    execution.stdin.on('error', () => undefined);
    input.pipe(execution.stdin);
  }
  const mask = () => ({
    shown: (options.showSecrets ? maskingOf([]) : masking).stream({ interactive: options.terminal !== undefined }),
    kept: masking.stream(),
  });
  await Promise.all([
    pass(execution.stdout, options.stdout, output.stdout, mask()),
    pass(execution.stderr, options.stderr, output.stderr, mask()),
  ]);
  const end = await execution.end;
  if (input !== undefined && execution.stdin !== undefined) {
    input.unpipe(execution.stdin);
    input.pause();
  }
  return end;
}

/** With back-pressure; a reader that went away (`| head`) does not stop the command's output from being drained. */
async function pass(
  from: Readable,
  to: Writable | undefined,
  excerpt: Excerpt,
  { shown, kept }: { readonly shown: Mask; readonly kept: Mask },
): Promise<void> {
  let gone = false;
  to?.once('error', () => {
    gone = true;
  });
  from.on('data', (chunk: Buffer) => {
    excerpt.add(kept.push(chunk));
    if (to === undefined || gone || to.write(shown.push(chunk))) return;
    from.pause();
    const resume = () => from.resume();
    to.once('drain', resume);
    to.once('error', resume);
    to.once('close', resume);
  });
  await finished(from, { writable: false });
  excerpt.add(kept.end());
  const last = shown.end();
  if (to !== undefined && !gone && last.length > 0) to.write(last);
}

async function recordExec(
  workplace: Workplace,
  environment: Environment,
  record: ExecRecord,
  stdout: Excerpt,
  stderr: Excerpt,
): Promise<void> {
  const folder = `execs/${record.startedAt.slice(0, 10)}/${record.id}`;
  const files: RecordFile[] = [
    { path: `${folder}/exec.json`, content: Buffer.from(`${JSON.stringify(record, null, 2)}\n`) },
  ];
  if (stdout.total > 0) files.push({ path: `${folder}/stdout`, content: stdout.bytes() });
  if (stderr.total > 0) files.push({ path: `${folder}/stderr`, content: stderr.bytes() });
  await updateRecord(workplace, environment.refs.record, files, `exec ${describeCommand(record.command).slice(0, 60)}`);
}

/** Sorts by time: `131650-1a2b3c4d`. */
function newExecId(now: Date): string {
  return `${now.toISOString().slice(11, 19).replaceAll(':', '')}-${randomBytes(4).toString('hex')}`;
}

function rootRefused(environment: Environment): CoppiceError {
  return new CoppiceError('refused', 'root-not-allowed', `${environment.name} does not allow commands as root.`, {
    hint: 'Create it with --allow-root, or set "root": true in .coppice/environment.json.',
  });
}
