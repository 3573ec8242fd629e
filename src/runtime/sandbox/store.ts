/**
 * The sandbox's “engine”: one small file for each container, `<state directory>/<name>.json`, and beside it `<name>.d`
 * with its /tmp and the pipes of its execs. Files are written under another name and then linked or renamed.
 */
import { randomUUID } from 'node:crypto';
import { chmod, link, lstat, mkdir, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { CoppiceError } from '../../domain/error.ts';
import { modeOf, type Network, networkSchema } from '../../domain/network.ts';
import { limitsSchema } from '../../domain/spec.ts';
import type { ContainerRequest } from '../runtime.ts';

const mountSchema = z.object({ source: z.string(), target: z.string(), readOnly: z.boolean() });

const requestSchema = z.object({
  name: z.string(),
  image: z.nullable(z.string()),
  labels: z.record(z.string(), z.string()),
  hostname: z.string(),
  mounts: z.array(mountSchema),
  workdir: z.string(),
  user: z.object({ uid: z.number(), gid: z.number(), name: z.string(), home: z.string() }),
  environment: z.record(z.string(), z.string()),
  limits: limitsSchema,
  network: networkSchema,
  root: z.boolean(),
});

export const variants = ['bubblewrap', 'plain'] as const;

const sandboxSchema = z.object({
  version: z.literal(1),
  /** The container's name. */
  id: z.string(),
  /** Marks its processes and names its control group: no other container ever has it. */
  token: z.string(),
  /** What it was made for: paths inside differ. */
  variant: z.enum(variants),
  state: z.enum(['created', 'running', 'stopped']),
  request: requestSchema,
});
export type Sandbox = z.infer<typeof sandboxSchema>;
export type Variant = Sandbox['variant'];

export function hasAllowlist({ request }: Sandbox): boolean {
  return modeOf(request.network) === 'allowlist';
}

const nameShape = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export interface SandboxStore {
  /** Throws `container-exists` (kind `refused`). */
  add(request: ContainerRequest, variant: Variant): Promise<Sandbox>;
  /** Throws `container-not-found`. */
  read(id: string): Promise<Sandbox>;
  find(id: string): Promise<Sandbox | undefined>;
  all(): Promise<readonly Sandbox[]>;
  setState(id: string, state: Sandbox['state']): Promise<Sandbox>;
  setNetwork(id: string, network: Network): Promise<Sandbox>;
  /** With everything beside it. */
  delete(id: string): Promise<void>;
  /** What lies beside the file of the container. */
  directoryOf(id: string): string;
}

export function sandboxStore(stateDirectory: string): SandboxStore {
  const fileOf = (id: string) => join(stateDirectory, `${id}.json`);
  const directoryOf = (id: string) => join(stateDirectory, `${id}.d`);

  const find = async (id: string) => {
    if (!nameShape.test(id)) return undefined;
    const text = await ifThere(readFile(fileOf(id), 'utf8'));
    return text === undefined ? undefined : parse(text, fileOf(id));
  };
  const read = async (id: string) => {
    const sandbox = await find(id);
    if (sandbox !== undefined) return sandbox;
    throw new CoppiceError('not-found', 'container-not-found', `There is no sandbox ${id}.`, {
      hint: 'It may have been removed; `coppice start` makes it anew.',
    });
  };
  const writeAside = async (sandbox: Sandbox) => {
    const aside = join(stateDirectory, `.${sandbox.id}.${randomUUID()}`);
    await writeFile(aside, `${JSON.stringify(sandbox, undefined, 1)}\n`, { mode: 0o600 });
    return aside;
  };

  const change = async (id: string, body: (before: Sandbox) => Sandbox) => {
    const sandbox = body(await read(id));
    await rename(await writeAside(sandbox), fileOf(id));
    return sandbox;
  };

  return {
    find,
    read,
    directoryOf,
    add: async (request, variant) => {
      if (!nameShape.test(request.name)) {
        throw new CoppiceError('bug', 'bad-container-name', `${JSON.stringify(request.name)} cannot name a sandbox.`);
      }
      const { name } = request;
      const sandbox = parse(
        JSON.stringify({ version: 1, id: name, token: randomUUID(), variant, state: 'created', request }),
        fileOf(name),
      );
      await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
      const aside = await writeAside(sandbox);
      try {
        await link(aside, fileOf(name));
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        throw new CoppiceError('refused', 'container-exists', `There is a sandbox ${name} already.`, {
          hint: 'Remove it first.',
        });
      } finally {
        await unlink(aside);
      }
      await mkdir(directoryOf(name), { recursive: true, mode: 0o700 });
      return sandbox;
    },
    all: async () => {
      const names = (await ifThere(readdir(stateDirectory))) ?? [];
      const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
      return (await Promise.all(ids.map(find))).filter((each) => each !== undefined);
    },
    setState: (id, state) => change(id, (before) => ({ ...before, state })),
    setNetwork: (id, network) => change(id, (before) => ({ ...before, request: { ...before.request, network } })),
    delete: async (id) => {
      await removeTree(directoryOf(id));
      await rm(fileOf(id), { force: true });
    },
  };
}

function parse(text: string, file: string): Sandbox {
  const parsed = sandboxSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new CoppiceError('unavailable', 'engine-error', `${file} is not a sandbox this version of coppice can read.`, {
    hint: 'Update coppice, or delete the file: the work of an environment is not in it.',
    cause: parsed.error,
  });
}

/** Also through directories that were made unreadable inside. */
async function removeTree(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'EPERM') throw error;
    await openUp(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

async function openUp(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return;
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await openUp(join(path, name));
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Undefined when the file is not there. */
export async function ifThere<Result>(reading: Promise<Result>): Promise<Result | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
