/** Looks at an environment's files and checkpoints them, here and not by the daemon. */
import type { Checkpointer, CheckpointRequest, CheckpointResult } from '../git/checkpointer.ts';
import { checkpointerRequest, type Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

export type Saved = Pick<CheckpointResult, 'checkpoint' | 'held' | 'submodules' | 'unsettled'>;

export type Save = (request: CheckpointRequest) => Promise<Saved & Pick<Checkpointer, 'ignores'>>;

/** How often a file that is still being written is looked at again before it is left to the next time. */
const settleAttempts = 5;

/** With `given`, which stays open, or with a checkpointer that is opened for the first look and closed after the last. */
export async function withSaving<Result>(
  workplace: Workplace,
  environment: Environment,
  given: Checkpointer | undefined,
  body: (save: Save) => Promise<Result>,
): Promise<Result> {
  let own: Promise<Checkpointer> | undefined;
  const open = async () => {
    if (given !== undefined) return given;
    own ??= workplace.openCheckpointer(checkpointerRequest(environment));
    return own;
  };
  try {
    return await body(async (request) => {
      const checkpointer = await open();
      const saved = await untilSettled(() => checkpointer.checkpoint(request));
      return { ...saved, ignores: (path) => checkpointer.ignores(path) };
    });
  } finally {
    // One that failed to open has nothing to release.
    const opened = await own?.catch(() => undefined);
    await opened?.close();
  }
}

export async function untilSettled<Result extends Saved | undefined>(save: () => Promise<Result>): Promise<Result> {
  let result = await save();
  for (let attempt = 1; result?.unsettled && attempt < settleAttempts; attempt += 1) {
    const again = await save();
    if (again === undefined) return again;
    result = { ...again, checkpoint: again.checkpoint ?? result.checkpoint };
  }
  return result;
}
