/** Which execs are running in an environment, as small files that every process can see: the causes of checkpoints. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cause } from '../domain/checkpoint.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import { errnoOf } from '../platform/errno.ts';
import { isAlive, type ProcessIdentity, thisProcess } from '../platform/liveness.ts';
import type { Workplace } from './workplace.ts';

export interface RunningExec {
  readonly id: string;
  readonly command: readonly string[];
  readonly process: ProcessIdentity;
}

/** `<common>/coppice/environments/<name>`: caches of one environment; safe to delete. */
export function cacheDirectory(commonDirectory: string, name: EnvironmentName): string {
  return join(commonDirectory, 'coppice', 'environments', name);
}

/** Says that an exec runs until the returned function is called. A file whose process is gone does not count. */
export async function noteExec(
  workplace: Workplace,
  name: EnvironmentName,
  id: string,
  command: readonly string[],
): Promise<() => Promise<void>> {
  const directory = execsDirectory(workplace.repository.commonDirectory, name);
  await mkdir(directory, { recursive: true });
  const file = join(directory, `${id}.json`);
  await writeFile(file, JSON.stringify({ id, command, process: thisProcess() }));
  return () => rm(file, { force: true });
}

export async function runningExecs(commonDirectory: string, name: EnvironmentName): Promise<readonly RunningExec[]> {
  const directory = execsDirectory(commonDirectory, name);
  const running: RunningExec[] = [];
  for (const file of await namesIn(directory)) {
    const exec = await readExec(join(directory, file));
    if (exec === undefined) continue;
    if (isAlive(exec.process)) running.push(exec);
    else await rm(join(directory, file), { force: true });
  }
  return running;
}

/** `edit` when nothing runs, else the commands. */
export function causeOf(execs: readonly RunningExec[]): Cause {
  return execs.length === 0 ? 'edit' : execs.map(({ command }) => `exec ${describeCommand(command)}`).join('; ');
}

/** Quoted as a shell would need it. */
export function describeCommand(command: readonly string[]): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

function execsDirectory(commonDirectory: string, name: EnvironmentName): string {
  return join(cacheDirectory(commonDirectory, name), 'execs');
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith('.json'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** undefined for a file that vanished or is half written: the next look sees it. */
async function readExec(file: string): Promise<RunningExec | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as RunningExec;
  } catch (error) {
    if (errnoOf(error) !== undefined || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
