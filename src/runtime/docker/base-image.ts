/** An image made from what this machine has, without a registry: for machines that have none, for tests and the demo. */
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readlink, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { start } from '../../platform/process.ts';
import { childEnvironment } from '../../platform/surroundings.ts';
import type { Progress } from '../runtime.ts';
import { withDirectories } from './archive-names.ts';
import { type BaseFiles, baseFiles, baseVersions } from './base-files.ts';
import type { Engine } from './engine.ts';
import { hasImage, importImage } from './images.ts';

/** Part of the fingerprint: raise it when what is made from the same files changes. */
const recipe = 2;

export interface BaseImageRequest {
  /** Name without tag. One under `localhost/` never reaches a registry. */
  readonly repository: string;
  /** The program of a running node: `process.execPath`. */
  readonly node: string;
  readonly report: (progress: Progress) => void;
}

/**
 * Resolves to the image's reference. The tag is a fingerprint of the programs' versions, so that it is made once, and
 * anew when these change. Throws `base-image-impossible` where it cannot be made.
 */
export async function buildBaseImage(engine: Engine, request: BaseImageRequest): Promise<string> {
  const env = childEnvironment(engine.surroundings);
  const tag = fingerprint(await baseVersions(request.node, env));
  const reference = `${request.repository}:${tag}`;
  if (await hasImage(engine, reference)) return reference;
  const files = await baseFiles(request.node, env);
  request.report({ message: `Making ${reference} from this machine's own programs` });
  const staging = await mkdtemp(join(tmpdir(), 'coppice-base-'));
  try {
    const staged = await stage(staging, files, request.node);
    await importInto(engine, request.repository, tag, await archive(staging, staged, files, env));
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return reference;
}

function fingerprint(versions: string): string {
  return createHash('sha256').update(`recipe ${recipe}\n${versions}`).digest('hex').slice(0, 16);
}

const textFiles: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};
const directories: Readonly<Record<string, number>> = {
  etc: 0o755,
  root: 0o700,
  home: 0o755,
  run: 0o755,
  tmp: 0o1777,
  var: 0o755,
  'var/tmp': 0o1777,
};

/** Everything that is not a file of this machine at its own place. Returns the names, parents first. */
async function stage(staging: string, { foreign }: BaseFiles, node: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const [name, mode] of Object.entries(directories)) {
    await mkdir(join(staging, name));
    // Not by mkdir, whose mode the umask takes bits from.
    await chmod(join(staging, name), mode);
    names.push(name);
  }
  for (const [name, content] of Object.entries(textFiles)) {
    await writeFile(join(staging, name), content);
    names.push(name);
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    const target = await readlink(`/${name}`).catch(() => undefined);
    if (target === undefined) continue;
    await symlink(target, join(staging, name));
    names.push(name);
  }
  const prefix = dirname(dirname(await realpath(node)));
  for (const path of foreign) {
    const name = join('usr/local', relative(prefix, path));
    await makeDirectories(staging, dirname(name));
    await cp(path, join(staging, name), { verbatimSymlinks: true });
    names.push(name);
  }
  return withDirectories(names);
}

/** With the mode they are to have in the image, whatever the umask. */
async function makeDirectories(staging: string, name: string): Promise<void> {
  for (const directory of withDirectories([name])) {
    const made = await mkdir(join(staging, directory), { recursive: true });
    if (made !== undefined) await chmod(made, 0o755);
  }
}

async function archive(
  staging: string,
  staged: readonly string[],
  { paths }: BaseFiles,
  env: Readonly<Record<string, string>>,
) {
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  const args = [
    '--create',
    '--null',
    '--no-recursion',
    ...owner,
    '-C',
    '/',
    '--files-from=-',
    '-C',
    staging,
    ...staged,
  ];
  const tar = await start('tar', args, { env: { ...env, LC_ALL: 'C' } });
  const names = withDirectories(paths.map((path) => path.slice(1)));
  // An engine may refuse what is there twice.
  const rest = names.filter((name) => !staged.includes(name));
  tar.stdin.end(rest.map((name) => `${name}\0`).join(''));
  return tar;
}

const changes = [
  'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'ENV LANG=C.UTF-8',
  'LABEL dev.coppice.base=1',
  'CMD ["bash"]',
];

async function importInto(
  engine: Engine,
  repository: string,
  tag: string,
  tar: Awaited<ReturnType<typeof archive>>,
): Promise<void> {
  const failed = `The image ${repository}:${tag} could not be made`;
  let said = '';
  tar.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  await engine.call({ failed }, undefined, async (docker) => {
    const complete = tar.exit.then((status) => status === 0);
    const failure = await importImage(docker, tar.stdout, { repository, tag }, changes, complete);
    if (failure === undefined) return;
    throw new CoppiceError('unavailable', 'base-image-impossible', `${failed}: ${failure}. ${said}`.trim());
  });
}
