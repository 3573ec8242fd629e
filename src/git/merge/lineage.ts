/** What each of several branches has over another one, from one walk over the history between them. */
import { isOid, type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';

export interface Lineage {
  readonly commit: Oid;
  /** Its commits that `start` does not have. */
  readonly own: readonly Oid[];
  /** The merge base with `start`, where there is just one and nothing else comes into question. */
  readonly base: Oid | undefined;
}

export async function lineagesOf(
  git: HostGit,
  start: Oid,
  sides: readonly { readonly commit: Oid }[],
): Promise<readonly Lineage[]> {
  const input = [...sides.map(({ commit }) => commit), `^${start}`, ''].join('\n');
  const args = ['rev-list', '--no-commit-header', '--format=%H %P', '--stdin'];
  const parents = new Map<Oid, readonly Oid[]>();
  for (const line of (await git.text(args, { input })).split('\n')) {
    const [oid = '', ...rest] = line.trimEnd().split(' ');
    if (isOid(oid)) parents.set(oid, rest.filter(isOid).map(parseOid));
  }
  return sides.map(({ commit }) => lineageOf(commit, parents));
}

function lineageOf(commit: Oid, parents: ReadonlyMap<Oid, readonly Oid[]>): Lineage {
  const own = new Set<Oid>();
  const border = new Set<Oid>();
  let roots = 0;
  for (let open: Oid[] = [commit]; open.length > 0; ) {
    const oid = open.pop();
    if (oid === undefined || own.has(oid)) continue;
    const above = parents.get(oid);
    if (above === undefined) {
      border.add(oid);
      continue;
    }
    own.add(oid);
    if (above.length === 0) roots += 1;
    open.push(...above);
  }
  const [base] = border;
  return { commit, own: [...own], base: border.size === 1 && roots === 0 ? base : undefined };
}
