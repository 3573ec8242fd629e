/**
 * Runs the project's check command on a commit, in a worktree and container of its own, and remembers the result: for the
 * same files, command and spec it is the same.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ResolvedSpec } from '../../domain/environment.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { errnoOf, ifPresent } from '../../platform/errno.ts';
import type { ExecEnd } from '../../runtime/runtime.ts';
import { Excerpt } from '../excerpt.ts';
import { type Inside, inThrowAway } from '../throw-away.ts';
import type { Report, Workplace } from '../workplace.ts';

export interface CheckRequest {
  readonly commit: Oid;
  readonly tree: Oid;
  /** What the commit descends from: see `inThrowAway`. */
  readonly base: Oid;
  readonly command: string;
  readonly spec: ResolvedSpec;
  readonly timeoutSeconds: number;
  /** False: remembered results do not count. They are replaced. */
  readonly cache: boolean;
}

export interface Checked {
  readonly passed: boolean;
  /** 124 when it took too long. */
  readonly exit: number;
  /** What it wrote, its beginning and end. */
  readonly output: string;
  readonly seconds: number;
  readonly cached: boolean;
}

/** Throws `interrupted`, `check-not-started` (kind `failed`). */
export async function runCheck(
  workplace: Workplace,
  request: CheckRequest,
  report: Report,
  signal: AbortSignal,
): Promise<Checked> {
  const file = cacheFile(workplace, request);
  const known = await knownCheck(workplace, request);
  if (known !== undefined) return known;
  const begun = performance.now();
  const title = `check: ${request.command}`;
  const { end, output } = await inThrowAway(workplace, { ...request, title }, report, signal, (inside) =>
    runInside(inside, request, signal),
  );
  if (signal.aborted) throw new CoppiceError('interrupted', 'interrupted', 'The check was interrupted.');
  const exit = end.status;
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  const checked = { passed: exit === 0, exit, output, seconds };
  // A time-out or a kill (memory, a signal) says as much about the machine as about the files.
  if (!end.timedOut && exit <= 128) await remember(file, checked);
  return { ...checked, cached: false };
}

/** What an earlier one found, where that counts. */
export async function knownCheck(workplace: Workplace, request: CheckRequest): Promise<Checked | undefined> {
  const known = request.cache ? await recall(cacheFile(workplace, request)) : undefined;
  return known === undefined ? undefined : { ...known, cached: true };
}

async function runInside(
  { runtime, container, ready }: Inside,
  { command, timeoutSeconds }: CheckRequest,
  signal: AbortSignal,
): Promise<{ readonly end: ExecEnd; readonly output: string }> {
  if (!ready) {
    return {
      end: { status: 1, timedOut: true, failedToStart: undefined, oomKilled: false },
      output: 'The setup command failed.\n',
    };
  }
  const output = new Excerpt();
  const execution = await runtime.exec(container.id, { command: ['sh', '-c', command], timeoutSeconds, signal });
  await Promise.all([drain(execution.stdout, output), drain(execution.stderr, output)]);
  const end = await execution.end;
  if (end.failedToStart !== undefined && !signal.aborted) {
    throw new CoppiceError('failed', 'check-not-started', `The check could not be started: ${end.failedToStart}.`, {
      hint: 'The image needs a shell (sh).',
    });
  }
  return { end, output: output.text() };
}

async function drain(from: Readable, into: Excerpt): Promise<void> {
  from.on('data', (chunk: Buffer) => into.add(chunk));
  await finished(from, { writable: false });
}

type Remembered = Omit<Checked, 'cached'>;

const version = 1;

function cacheFile({ repository }: Workplace, { tree, command, spec }: CheckRequest): string {
  const key = createHash('sha256')
    .update(JSON.stringify([version, tree, command, spec]))
    .digest('hex');
  return join(repository.commonDirectory, 'coppice', 'checks', `${key}.json`);
}

async function recall(file: string): Promise<Remembered | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Remembered;
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** Results kept; the oldest go. */
const most = 500;

async function remember(file: string, checked: Remembered): Promise<void> {
  const directory = join(file, '..');
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(draft, JSON.stringify(checked));
    await rename(draft, file);
    await forgetOld(directory);
  } catch (error) {
    // A result that cannot be remembered is found out again.
    if (errnoOf(error) === undefined) throw error;
  }
}

async function forgetOld(directory: string): Promise<void> {
  const names = await readdir(directory);
  if (names.length <= most) return;
  const files = await Promise.all(
    names.map(async (name) => ({ name, at: (await ifPresent(stat(join(directory, name))))?.mtimeMs ?? 0 })),
  );
  const old = files.sort((one, other) => other.at - one.at).slice(most);
  for (const { name } of old) await rm(join(directory, name), { force: true });
}
