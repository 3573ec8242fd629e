/**
 * A checkpointer for the directory of a submodule: its files are recorded as they are, on a reference of their own. Its git
 * directory is the agent's, and is left alone.
 */
import { dirname, join } from 'node:path';
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import { CoppiceError } from '../../domain/error.ts';
import { openDirectoryBelow } from '../../platform/read-below.ts';
import { closeDirectory, pathOfDirectory } from '../../platform/tree-reader.ts';
import type { Checkpointer, CheckpointerRequest, HoldLimits } from '../checkpointer.ts';
import { type CheckpointerDependencies, openCheckpointer } from './open-checkpointer.ts';

export interface Submodule {
  readonly path: BytePath;
  readonly slug: string;
  /** `first`: nothing of it is recorded yet, all of it is new, however much it is. `pristine`: nor is any of it an agent's. */
  readonly state: 'first' | 'pristine' | 'known';
}

/** Throws `submodule-gone` (kind `not-found`) where there is no such directory any more. */
export async function openSubmoduleCheckpointer(
  request: CheckpointerRequest,
  dependencies: CheckpointerDependencies,
  { path, slug, state }: Submodule,
): Promise<Checkpointer> {
  // By its descriptor: somebody may put a link in its place, or in that of a directory above.
  const directory = openDirectoryBelow(request.tree, path);
  if (directory === undefined) throw gone(path);
  try {
    const home = join(dirname(request.cache), 'modules', slug);
    const inner: CheckpointerRequest = {
      ...request,
      tree: pathOfDirectory(directory),
      cache: join(home, 'stat-cache'),
      // There is none: the sparse patterns of the whole say nothing of what is in it.
      registration: home,
      limits: state === 'known' ? request.limits : withoutCount(request.limits),
      ...(state === 'pristine' ? { secrets: { ...request.secrets, patterns: 'off' as const } } : {}),
    };
    const checkpointer = await openCheckpointer(inner, dependencies);
    return {
      ...checkpointer,
      close: () => checkpointer.close().finally(() => closeDirectory(directory)),
    };
  } catch (error) {
    closeDirectory(directory);
    throw error;
  }
}

function withoutCount(limits: HoldLimits): HoldLimits {
  return { ...limits, checkpointFiles: Number.MAX_SAFE_INTEGER, checkpointBytes: Number.MAX_SAFE_INTEGER };
}

function gone(path: BytePath): CoppiceError {
  return new CoppiceError('not-found', 'submodule-gone', `The directory of the submodule ${textOf(path)} is gone.`, {
    hint: 'There is nothing to do: what was in it is kept.',
  });
}
