/** Which files of this machine make a small system: a shell, the common commands, git, node, and the libraries they need. */
import { lstat, open, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { type Finished, run } from '../../platform/process.ts';

/** Debian packages; without the first ones there is no base image. */
const needed = ['bash', 'dash', 'coreutils', 'grep', 'sed', 'findutils', 'tar', 'gzip', 'git', 'libc-bin'];
const welcome = [
  ...['mawk', 'gawk', 'procps', 'diffutils', 'patch', 'less', 'make', 'file', 'curl', 'xz-utils', 'hostname'],
  ...['debianutils', 'util-linux', 'ncurses-base', 'ncurses-bin', 'netbase'],
];

/** Paths no package lists: what the alternatives system and ca-certificates make. */
const extras = ['/usr/bin/awk', '/usr/bin/which', '/usr/bin/pager', '/etc/ssl/certs/ca-certificates.crt'];

/** Documentation and translations, which nothing inside needs. */
const useless = /^\/usr\/share\/(doc|man|locale|info|lintian|bug|doc-base|gitweb|perl5)\/|^\/etc\/|^\/var\//;

export interface BaseFiles {
  /** Absolute paths, sorted, no directories. A link's target is among them. */
  readonly paths: readonly string[];
  /** Paths of node, npm and npx: outside /usr they must be copied to where programs are. */
  readonly foreign: readonly string[];
}

/** `node` is the program of a running node. Throws `base-image-impossible` on other systems than Debian and Ubuntu. */
export async function baseFiles(node: string, env: Readonly<Record<string, string>>): Promise<BaseFiles> {
  const own = [...(await packageFiles(env)), ...extras];
  const program = await realpath(node);
  const nodeFiles = await withNpm(program);
  const inPlace = program.startsWith('/usr/');
  const found = new Map<string, 'file' | 'link'>();
  for (const path of inPlace ? [...own, ...nodeFiles] : own) await add(found, path);
  const programs = await onlyElf([...found].filter(([, kind]) => kind === 'file').map(([path]) => path));
  for (const path of await librariesOf(inPlace ? programs : [...programs, program], env)) await add(found, path);
  return { paths: [...found.keys()].sort(), foreign: inPlace ? [] : nodeFiles };
}

/** Changes when a new image is due: the versions of what it is made from. Cheap, unlike looking at every file. */
export async function baseVersions(node: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await queryPackages(['--show', ...needed, ...welcome], env);
  const program = await realpath(node);
  const { size, mtimeMs } = await lstat(program);
  return `${stdout}\n${program} ${size} ${mtimeMs}`;
}

async function packageFiles(env: Readonly<Record<string, string>>): Promise<string[]> {
  const [first, second] = await Promise.all(
    [needed, welcome].map((packages) => queryPackages(['--listfiles', ...packages], env)),
  );
  if (first?.status !== 0) throw impossible(`a package is missing: ${first?.stderr.trim()}`);
  return `${first.stdout}\n${second?.stdout}`.split('\n').filter((line) => line.startsWith('/') && !useless.test(line));
}

/** A package that is not installed makes the status 1; the others are answered all the same. */
async function queryPackages(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Finished> {
  try {
    return await run('dpkg-query', args, { env: { ...env, LC_ALL: 'C' } });
  } catch (error) {
    throw impossible('dpkg-query does not run here', error);
  }
}

function impossible(reason: string, cause?: unknown): CoppiceError {
  return new CoppiceError('unavailable', 'base-image-impossible', `A base image cannot be made here: ${reason}.`, {
    hint: 'It is made from a Debian or Ubuntu machine with git; elsewhere name an image with --image.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** node, and npm where it was installed along with it. */
async function withNpm(program: string): Promise<string[]> {
  const prefix = dirname(dirname(program));
  const modules = join(prefix, 'lib/node_modules/npm');
  const entries = await readdir(modules, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((each) => !each.isDirectory()).map((each) => join(each.parentPath, each.name));
  const commands = entries.length === 0 ? [] : ['npm', 'npx'].map((name) => join(prefix, 'bin', name));
  return [program, ...files, ...commands];
}

/** With directories resolved, so that `/bin/x` and `/usr/bin/x` are one; links are followed by adding what they name. */
async function add(found: Map<string, 'file' | 'link'>, path: string): Promise<void> {
  const directory = await realpath(dirname(path)).catch(() => undefined);
  // What stands at the root are directories and links to them.
  if (directory === undefined || directory === '/') return;
  const place = join(directory, basename(path));
  if (found.has(place)) return;
  const kind = await lstat(place).catch(() => undefined);
  if (kind?.isSymbolicLink()) {
    found.set(place, 'link');
    await add(found, resolve(directory, await readlink(place)));
  } else if (kind?.isFile()) found.set(place, 'file');
}

async function onlyElf(paths: readonly string[]): Promise<string[]> {
  const elf = await Promise.all(
    paths.map(async (path) => {
      const file = await open(path);
      try {
        const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
        return buffer.toString('latin1') === '\x7fELF' ? [path] : [];
      } finally {
        await file.close();
      }
    }),
  );
  return elf.flat();
}

/** By asking the loader (ldd(1)), which has no output for machines; its lines are `name => path (address)`. */
export async function librariesOf(
  programs: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Set<string>> {
  const { stdout } = await run('ldd', programs, { env: { ...env, LC_ALL: 'C' } });
  const paths = [...stdout.toString('utf8').matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path]) => path ?? '');
  return new Set(paths);
}
