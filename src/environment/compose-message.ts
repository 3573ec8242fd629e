/** Composes the message of a commit from the checkpoints that it folds. */
import { trailers, trailerValues } from '../domain/checkpoint.ts';
import { composedMessage } from '../domain/commit-message.ts';
import type { Environment } from './environment.ts';
import { changesBetween } from './follow-head.ts';
import type { Workplace } from './workplace.ts';

/** What stands for a command line that nobody should read in a commit. */
const hidden = 'a command with what looks like a secret in it';

/** A command line may hold a token: in a checkpoint it stays here, but a commit is made to be published. */
export async function composeMessage(workplace: Workplace, { at }: Environment): Promise<string> {
  const [changes, tail] = await Promise.all([
    changesBetween(workplace, at.head, at.tip),
    workplace.repository.log({ start: at.tip, exclude: [at.head] }),
  ]);
  const causes: string[] = [];
  for (const { message } of tail.toReversed()) {
    for (const cause of trailerValues(message, trailers.cause)) {
      causes.push((await workplace.leaks.inText(cause)) ? hidden : cause);
    }
  }
  return composedMessage(changes, causes);
}
