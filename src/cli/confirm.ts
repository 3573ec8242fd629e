/** Asks the person at the terminal. stderr, because stdout is the answer. */
import { createInterface } from 'node:readline/promises';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Confirm } from '../environment/access/approval.ts';

/** Only `y` and `yes` are a yes; Ctrl-C and an input that ends are a no. */
export function confirmOn(stdin: ReadStream, stderr: WriteStream): Confirm {
  return async (text, question) => {
    stderr.write(`${text}\n`);
    const asking = createInterface({ input: stdin, output: stderr, terminal: true });
    const closed = new Promise<undefined>((resolve) => asking.once('close', () => resolve(undefined)));
    try {
      const answer = await Promise.race([asking.question(`${question} [y/N] `), closed]);
      if (answer === undefined) stderr.write('\n');
      return /^y(?:es)?$/i.test(answer?.trim() ?? '');
    } finally {
      asking.close();
    }
  };
}
