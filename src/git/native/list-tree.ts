/** Lists what a tree holds. */
import { bytePathFromBuffer } from '../../domain/byte-path.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { canonicalMode } from '../objects/tree-object.ts';
import type { ListedEntry } from '../repository.ts';
import { splitNul } from './split-nul.ts';

/** `path` limits it to that directory's content, or to that one file; nothing where it does not exist. */
export async function listTree(
  git: HostGit,
  treeish: Oid,
  options: { readonly recursive?: boolean; readonly path?: string } = {},
  env: Readonly<Record<string, string>> = {},
): Promise<readonly ListedEntry[]> {
  const list = async (paths: readonly string[]) => {
    const args = ['ls-tree', '-z', '--full-tree', ...(options.recursive ? ['-r'] : []), treeish, '--', ...paths];
    const { stdout } = await git.run(args, { env: { ...env, GIT_LITERAL_PATHSPECS: '1' } });
    return splitNul(stdout).map(parseEntry);
  };
  const path = options.path?.replace(/\/+$/, '');
  if (path === undefined || path === '') return list([]);
  const below = await list([`${path}/`]);
  return below.length > 0 ? below : list([path]);
}

/** `<mode> SP <type> SP <oid> TAB <path>` */
function parseEntry(record: Buffer): ListedEntry {
  const tab = record.indexOf(0x09);
  const [mode = '', , oid = ''] = record.toString('latin1', 0, tab).split(' ');
  return { path: bytePathFromBuffer(record.subarray(tab + 1)), mode: canonicalMode(mode), oid: parseOid(oid) };
}
