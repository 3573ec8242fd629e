/** What of the host a bubblewrap sandbox may see: programs and system settings, read-only, and nothing of anybody's home. */
import { access, lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { ifThere } from './store.ts';

export interface HostView {
  /** Top-level directories to show read-only, and top-level links to repeat. */
  readonly directories: readonly string[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** Below these, what only its owner may read: to be covered, because the owner is who runs the sandbox. */
  readonly coveredFiles: readonly string[];
  readonly coveredDirectories: readonly string[];
  /** Where /etc/resolv.conf really is, when that is not in a directory shown. */
  readonly resolver: string | undefined;
  /** Where Node is, when that is not in a directory shown: shown at `nodeInside`. */
  readonly node: string | undefined;
}

/** The same for every sandbox, so that its path says nothing about the host. */
export const nodeInside = '/coppice/node';

const shown = /^(?:usr|bin|sbin|lib\d*|libx?\d*|etc|opt|nix)$/;

export async function hostView(options: {
  /** Directories that must not be seen wherever they are: the home, the data directory. */
  readonly hidden: readonly string[];
  /** Path of the Node program that runs us. */
  readonly node: string;
}): Promise<HostView> {
  const directories: string[] = [];
  const links: { path: string; target: string }[] = [];
  for (const name of (await readdir('/')).filter((each) => shown.test(each))) {
    const path = `/${name}`;
    const stat = await lstat(path);
    if (stat.isSymbolicLink()) links.push({ path, target: await readlink(path) });
    else if (stat.isDirectory()) directories.push(path);
  }
  const isShown = (path: string) => directories.some((directory) => isWithin(path, directory));
  const covered = await privateEntries('/etc');
  const resolver = await ifThere(realpath('/etc/resolv.conf'));
  return {
    directories,
    links,
    coveredFiles: covered.files,
    coveredDirectories: [...covered.directories, ...(await existing(options.hidden.filter(isShown)))],
    resolver: resolver === undefined || isShown(resolver) ? undefined : resolver,
    node: await nodePrefix(options.node, options.hidden, isShown),
  };
}

/** `<prefix>/bin/node` → prefix. One that holds a hidden directory is not shown. */
async function nodePrefix(
  node: string,
  hidden: readonly string[],
  isShown: (path: string) => boolean,
): Promise<string | undefined> {
  const real = await realpath(node);
  if (isShown(real)) return undefined;
  const prefix = dirname(dirname(real));
  const reveals = hidden.some((directory) => isWithin(directory, prefix)) || prefix === '/';
  return reveals || (await ifThere(access(join(prefix, 'bin', 'node')))) === undefined ? undefined : prefix;
}

/** What others may not read, two levels down: keys and password hashes are there. */
async function privateEntries(root: string, levels = 2): Promise<{ files: string[]; directories: string[] }> {
  const found = { files: [] as string[], directories: [] as string[] };
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) continue;
    const path = join(root, entry.name);
    const stat = await ifThere(lstat(path));
    if (stat === undefined) continue;
    const isOpen = (stat.mode & (stat.isDirectory() ? 0o005 : 0o004)) !== 0;
    if (!isOpen) found[stat.isDirectory() ? 'directories' : 'files'].push(path);
    else if (stat.isDirectory() && levels > 1) {
      const below = await privateEntries(path, levels - 1);
      found.files.push(...below.files);
      found.directories.push(...below.directories);
    }
  }
  return found;
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const there = await Promise.all(paths.map(async (path) => (await ifThere(lstat(path))) !== undefined));
  return paths.filter((_path, index) => there[index]);
}

export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}
