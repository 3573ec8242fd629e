/** Which references keep the commits that a search found something in. */
import type { Oid } from '../../domain/oid.ts';
import { isRefName, type RefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';
import type { Leak, LeakElsewhere } from '../leaks.ts';

/** Commits that are asked for: a walk for each. */
const most = 100;

/** Each with the first reference below `prefixes` that has it. */
export async function withRefs(
  git: HostGit,
  leaks: readonly Leak[],
  prefixes: readonly string[],
): Promise<readonly LeakElsewhere[]> {
  const kept = new Map<Oid, RefName>();
  for (const commit of [...new Set(leaks.map((leak) => leak.commit))].slice(0, most)) {
    const args = ['for-each-ref', '--count=1', '--format=%(refname)', `--contains=${commit}`, ...prefixes];
    const name = (await git.run(args)).stdout.toString('utf8').trimEnd();
    if (isRefName(name)) kept.set(commit, name);
  }
  return leaks.map((leak) => ({ ...leak, ref: kept.get(leak.commit) }));
}
