/** The container of an environment: how it is asked for, found and kept running. */

import { join } from 'node:path';
import { baseStoreDirectory } from '../domain/directories.ts';
import { CoppiceError } from '../domain/error.ts';
import { allowedHosts, modeOf } from '../domain/network.ts';
import type { OpenPipe } from '../git/transport.ts';
import { type Container, type ContainerRequest, labels, type Mount, type Runtime } from '../runtime/runtime.ts';
import { requireApprovedEnvironment } from './access/approval.ts';
import { refuseOverlay, refuseUnsafe } from './access/mount-risks.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

export function labelsOf(workplace: Workplace, name: string): Record<string, string> {
  return { ...repositoryLabels(workplace), [labels.environment]: name };
}

export function repositoryLabels(workplace: Workplace): Record<string, string> {
  return {
    [labels.tool]: '1',
    [labels.installation]: workplace.installation,
    [labels.repository]: workplace.repository.id,
  };
}

export function layoutOf(workplace: Workplace, environment: Pick<Environment, 'directories'>, runtime: Runtime) {
  const { tree, git, home } = environment.directories;
  const base = baseStoreDirectory(workplace.surroundings.dataDirectory, workplace.repository.id);
  return runtime.layout({ tree, git, base, home });
}

/** The file that says where git is inside; mounted read-only over the tree's `.git`. */
export function gitFileOf(environment: Pick<Environment, 'directories'>): string {
  return join(environment.directories.root, 'gitfile');
}

export async function containerRequest(
  workplace: Workplace,
  environment: Environment,
  runtime: Runtime,
): Promise<ContainerRequest> {
  const { directories, record, name } = environment;
  const { surroundings, repository } = workplace;
  const layout = await layoutOf(workplace, environment, runtime);
  const base = baseStoreDirectory(surroundings.dataDirectory, repository.id);
  const mounts: Mount[] = [
    { source: directories.tree, target: layout.tree, readOnly: false },
    { source: directories.git, target: layout.git, readOnly: false },
    { source: base, target: layout.base, readOnly: true },
    { source: directories.home, target: layout.home, readOnly: false },
  ];
  if (layout.mountsGitFile)
    mounts.push({ source: gitFileOf(environment), target: `${layout.tree}/.git`, readOnly: true });
  const access = await requireApprovedEnvironment(workplace, environment);
  await refuseUnsafe(workplace, access.mounts);
  refuseOverlay(layout, access.mounts);
  mounts.push(...access.mounts);
  return {
    name: `coppice-${repository.id}-${name}-${workplace.installation.slice(0, 6)}`,
    image: record.spec.image,
    labels: { ...labelsOf(workplace, name), [labels.network]: modeOf(record.spec.network) },
    hostname: name.replace(/[^a-z0-9-]/g, '-').slice(0, 63),
    mounts,
    workdir: layout.tree,
    user: { uid: surroundings.uid, gid: surroundings.gid, name: 'agent', home: layout.home },
    environment: {
      ...record.spec.environment,
      COPPICE_ENVIRONMENT: name,
      COPPICE_WORKSPACE: layout.tree,
    },
    limits: record.spec.limits,
    network: record.spec.network,
    root: record.spec.root,
  };
}

/** What the engine knows of it; undefined when there is none. */
export async function findContainer(workplace: Workplace, environment: Environment): Promise<Container | undefined> {
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  const found = await runtime.list(labelsOf(workplace, environment.name));
  return found[0];
}

/** The running container, or a clear refusal: what is not running cannot be exec'd. */
export async function runningContainer(workplace: Workplace, environment: Environment) {
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  const [container] = await runtime.list(labelsOf(workplace, environment.name));
  if (container?.state === 'running') return { runtime, container };
  const state = container === undefined ? 'has no container' : 'is stopped';
  throw new CoppiceError('unavailable', 'not-running', `The environment ${environment.name} ${state}.`, {
    hint: `\`coppice start ${environment.name}\` starts it.`,
    data: { name: environment.name },
  });
}

/**
 * Makes the container where it is missing or has another network than recorded, starts it where it is not running, and
 * lets it reach what is recorded.
 */
export async function ensureRunning(workplace: Workplace, environment: Environment): Promise<Container> {
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  // What is mounted is looked up again at the start: links may lead elsewhere by now.
  await requireApprovedEnvironment(workplace, environment);
  const existing = await fittingContainer(workplace, environment, runtime);
  const container = existing ?? (await runtime.create(await containerRequest(workplace, environment, runtime)));
  const { network } = environment.record.spec;
  if (modeOf(network) === 'allowlist') await runtime.allow(container.id, allowedHosts(network));
  if (container.state !== 'running') await runtime.start(container.id);
  return { ...container, state: 'running' };
}

async function fittingContainer(
  workplace: Workplace,
  environment: Environment,
  runtime: Runtime,
): Promise<Container | undefined> {
  const wanted = labelsOf(workplace, environment.name);
  const [existing] = await runtime.list(wanted);
  const mode = modeOf(environment.record.spec.network);
  if (existing === undefined) {
    await runtime.sweep(wanted);
    return undefined;
  }
  // Those made before there were allowlists do not say; they have none.
  const made = existing.labels[labels.network];
  if (made === mode || (made === undefined && mode !== 'allowlist')) return existing;
  await runtime.remove(existing.id);
  await runtime.sweep(wanted);
  return undefined;
}

/** A pipe to commands inside, for git's protocol. */
export function pipeInto(runtime: Runtime, containerId: string): OpenPipe {
  return async (command) => {
    const ended = new AbortController();
    const execution = await runtime.exec(containerId, { command, stdin: true, signal: ended.signal });
    if (execution.stdin === undefined) throw new CoppiceError('bug', 'no-stdin', 'An exec with stdin came without it.');
    return {
      stdin: execution.stdin,
      stdout: execution.stdout,
      stderr: execution.stderr,
      exit: execution.end.then(
        ({ status }) => status,
        () => 255,
      ),
      kill: async () => {
        ended.abort();
        await execution.end.catch(() => undefined);
      },
    };
  };
}

/** Runs a small command inside to its end and keeps what it wrote (at most 1 MiB). */
export async function runInside(
  runtime: Runtime,
  containerId: string,
  command: readonly string[],
  options: RunOptions = {},
): Promise<{
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly failedToStart: string | undefined;
}> {
  const { stdout, ...done } = await readInside(runtime, containerId, command, options);
  return { ...done, stdout: stdout.toString('utf8') };
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutSeconds?: number;
  readonly workdir?: string;
  readonly root?: boolean;
  readonly signal?: AbortSignal;
  /** Bytes of stdout to keep. Default 1 MiB. */
  readonly atMost?: number;
}

/** The same with stdout as bytes. `cut`: there was more of it. */
export async function readInside(
  runtime: Runtime,
  containerId: string,
  command: readonly string[],
  { atMost = 2 ** 20, ...options }: RunOptions = {},
) {
  const execution = await runtime.exec(containerId, { command, timeoutSeconds: 60, ...options });
  const [stdout, stderr, end] = await Promise.all([
    collect(execution.stdout, atMost),
    collect(execution.stderr, 2 ** 20),
    execution.end,
  ]);
  return {
    status: end.status,
    stdout: stdout.bytes,
    cut: stdout.cut,
    stderr: stderr.bytes.toString('utf8'),
    failedToStart: end.failedToStart,
  };
}

/** Reads to the end, whatever is kept: a writer that is not read never ends. */
async function collect(stream: AsyncIterable<Buffer | string>, atMost: number) {
  const kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    if (size < atMost) kept.push(bytes.subarray(0, atMost - size));
    size += bytes.length;
  }
  return { bytes: Buffer.concat(kept), cut: size > atMost };
}
