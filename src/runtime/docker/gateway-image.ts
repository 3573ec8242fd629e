/** The image that gateways run from: a node and its libraries, nothing else. Never the environment's own image, whose node may lie. */
import { createHash } from 'node:crypto';
import { access, lstat, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';
import { hasCode } from '../../domain/error.ts';
import { start } from '../../platform/process.ts';
import { childEnvironment } from '../../platform/surroundings.ts';
import { withDirectories } from './archive-names.ts';
import { librariesOf } from './base-files.ts';
import type { Engine } from './engine.ts';
import { hasImage, importImage, prepareImage } from './images.ts';

export interface GatewayProgram {
  /** The program of a running node: `process.execPath`. */
  readonly node: string;
  /** Path of the bundled gateway. */
  readonly program: string;
  /** Where this machine's node does not run in the engine: an image with a `node`, which is pulled. */
  readonly fallbackImage: string;
}

export interface GatewayImage {
  readonly reference: string;
  /** Its node. */
  readonly node: string;
}

const repository = 'localhost/coppice-gateway';

/** Part of the fingerprint: raise it when what is made from the same files changes. */
const recipe = 2;

/** Made once for each version of node. */
export async function gatewayImage(engine: Engine, { node, fallbackImage }: GatewayProgram): Promise<GatewayImage> {
  if (!(await runsHere(engine))) return pulled(engine, fallbackImage);
  const program = await realpath(node);
  const { size, mtimeMs } = await lstat(program);
  const tag = createHash('sha256').update(`${recipe}\n${program} ${size} ${mtimeMs}`).digest('hex').slice(0, 16);
  const reference = `${repository}:${tag}`;
  if (!(await hasImage(engine, reference))) {
    const complaint = await importNode(engine, program, tag);
    if (complaint !== undefined) return pulled(engine, fallbackImage);
  }
  return { reference, node: '/node' };
}

async function pulled(engine: Engine, reference: string): Promise<GatewayImage> {
  await prepareImage(engine, reference, () => undefined);
  return { reference, node: 'node' };
}

const versionSchema = z.object({ Os: z.string(), Arch: z.string() });
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm' };

async function runsHere(engine: Engine): Promise<boolean> {
  const { Os, Arch } = versionSchema.parse(
    await engine.get('/version', { failed: 'The engine did not say what it is' }),
  );
  return process.platform === Os && architectures[process.arch] === Arch;
}

/** Resolves to the engine's complaint. */
async function importNode(engine: Engine, program: string, tag: string): Promise<string | undefined> {
  const env = { ...childEnvironment(engine.surroundings), LC_ALL: 'C' };
  const staging = await mkdtemp(join(tmpdir(), 'coppice-gateway-'));
  try {
    await symlink(program, join(staging, 'node'));
    const libraries = await withNameService(await librariesOf([program], env));
    const files = withDirectories(libraries.map((path) => path.slice(1)));
    // Links are followed: each library is a plain file at the place where the loader looks for it.
    const owner = ['--dereference', '--no-recursion', '--owner=0', '--group=0', '--numeric-owner'];
    const tar = await start('tar', ['--create', ...owner, '-C', staging, 'node', '-C', '/', ...files], { env });
    tar.stderr.resume();
    const complete = tar.exit.then((status) => status === 0);
    const failed = 'The image of the gateway could not be made';
    return await engine.call({ failed }, undefined, (docker) =>
      importImage(docker, tar.stdout, { repository, tag }, ['LABEL dev.coppice.base=1'], complete),
    );
  } catch (error) {
    // No tar, no ldd: then it is made of a pulled image.
    if (!hasCode(error, 'program-missing')) throw error;
    return error.message;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** What the C library loads on its own to resolve names, where it is not part of it (glibc before 2.34). */
async function withNameService(libraries: ReadonlySet<string>): Promise<readonly string[]> {
  const libc = [...libraries].find((path) => /\/libc\.so\.\d+$/.test(path));
  const wanted = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];
  const beside = libc === undefined ? [] : wanted.map((name) => join(dirname(libc), name));
  const there = await Promise.all(
    beside.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return [...new Set([...libraries, ...beside.filter((_, index) => there[index])])];
}
