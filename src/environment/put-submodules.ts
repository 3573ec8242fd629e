/** Puts the files that submodules had back into a restored environment. Their own repositories are not there any more. */
import { type BytePath, textOf } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { closeDirectory, openTree } from '../platform/tree-reader.ts';
import { moveInto } from '../platform/tree-writer.ts';
import type { Environment } from './environment.ts';
import { gitlinks, slugOf } from './submodules.ts';
import type { Workplace } from './workplace.ts';

/** Throws `cannot-put-back` (kind `failed`). */
export async function putSubmodules(workplace: Workplace, environment: Environment): Promise<void> {
  const { repository } = workplace;
  const { refs, at } = environment;
  const kept = new Map((await repository.listRefs(`${refs.prefix}modules/`)).map(({ name, oid }) => [name, oid]));
  if (kept.size === 0) return;
  for (const path of (await gitlinks(workplace, at.tip)).keys()) {
    const commit = kept.get(refs.module(slugOf(path), 'files'));
    if (commit !== undefined) await putOne(workplace, environment, path, commit);
  }
}

async function putOne(
  { repository, worktrees }: Workplace,
  { name, directories }: Environment,
  submodule: BytePath,
  commit: Oid,
): Promise<void> {
  const entries = await repository.listTree(commit, { recursive: true });
  const paths = entries.filter(({ mode }) => mode !== '160000').map(({ path }) => path);
  await worktrees.withStaged(directories, commit, paths, async (staged) => {
    const tree = openTree(directories.tree);
    try {
      for (const path of paths) {
        const target = `${submodule}/${path}` as BytePath;
        const failure = moveInto(tree, target, staged.sourceOf(path));
        if (failure !== undefined) throw cannotPut(name, textOf(target), failure);
      }
    } finally {
      closeDirectory(tree);
    }
  });
}

function cannotPut(name: string, path: string, failure: string): CoppiceError {
  return new CoppiceError('failed', 'cannot-put-back', `${path} cannot be put back into ${name}: ${failure}.`, {
    hint: 'Nothing was lost: what was removed is still in the trash. Try again.',
    data: { name, path, failure },
  });
}
