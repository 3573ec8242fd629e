/** Commits made anew on another commit, as `git rebase` and `git cherry-pick` do, on objects alone. */
import { CoppiceError } from '../../domain/error.ts';
import { type Oid, shortOid } from '../../domain/oid.ts';
import type { CommitInfo, Identity } from '../../git/repository.ts';
import { conflictView } from '../conflicts/view.ts';
import type { Workplace } from '../workplace.ts';

export interface ReplayRequest {
  /** Oldest first; none of them a merge. */
  readonly commits: readonly CommitInfo[];
  readonly onto: { readonly parent: Oid; readonly tree: Oid };
  readonly committer: Identity;
  readonly sign: boolean;
  /** What a conflict means to who asked: what to do. */
  readonly hint: string;
}

export interface Replayed {
  readonly commit: Oid;
  readonly tree: Oid;
  readonly made: number;
}

/** Authors, dates and messages stay. What changes nothing there is left out. Throws `replay-conflict`. */
export async function replay({ repository, merging }: Workplace, request: ReplayRequest): Promise<Replayed> {
  let { parent: commit, tree } = request.onto;
  let made = 0;
  for (const each of request.commits) {
    const base = each.parents[0] ?? (await repository.emptyTree());
    const outcome = await merging.mergeTrees(base, tree, each.oid);
    if (outcome.kind === 'conflict') throw conflictAt(each, outcome.conflicts, request.hint);
    if (outcome.tree === tree) continue;
    tree = outcome.tree;
    commit = await repository.writeCommit({
      tree,
      parents: [commit],
      author: each.author,
      committer: request.committer,
      message: each.message,
      sign: request.sign,
    });
    made += 1;
  }
  return { commit, tree, made };
}

function conflictAt(commit: CommitInfo, conflicts: Parameters<typeof conflictView>[0], hint: string): CoppiceError {
  const subject = commit.message.split('\n')[0] ?? '';
  const files = conflictView(conflicts);
  const many = files.length === 1 ? 'one file' : `${files.length} files`;
  return new CoppiceError('conflict', 'replay-conflict', `${shortOid(commit.oid)} (${subject}) conflicts in ${many}.`, {
    hint,
    data: { commit: commit.oid, files },
  });
}

/** Parents before children, whatever their dates say; else in the order given, reversed. */
export function oldestFirst(newestFirst: readonly CommitInfo[]): readonly CommitInfo[] {
  const waiting = new Map(newestFirst.map((commit) => [commit.oid, commit]));
  const sorted: CommitInfo[] = [];
  const place = (start: CommitInfo) => {
    // By hand, not by recursion: histories are longer than stacks.
    const path = [start];
    while (path.length > 0) {
      const at = path.at(-1) as CommitInfo;
      const next = at.parents.map((oid) => waiting.get(oid)).find((parent) => parent !== undefined && parent !== at);
      if (next !== undefined && !path.includes(next)) path.push(next);
      else {
        path.pop();
        if (waiting.delete(at.oid)) sorted.push(at);
      }
    }
  };
  for (const commit of newestFirst.toReversed()) if (waiting.has(commit.oid)) place(commit);
  return sorted;
}
