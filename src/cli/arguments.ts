/** Takes the options that mean the same everywhere off the command line, and what stands after `--`. */
import { resolve } from 'node:path';
import { CoppiceError } from '../domain/error.ts';

export interface GlobalOptions {
  readonly json: boolean;
  readonly directory: string | undefined;
}

export interface SplitArguments {
  readonly globals: GlobalOptions;
  /** The command and its own arguments. */
  readonly words: readonly string[];
  /** What stood after the first `--`. */
  readonly rest: readonly string[];
}

export function splitArguments(argv: readonly string[], cwd = process.cwd()): SplitArguments {
  const end = argv.indexOf('--');
  const before = end < 0 ? [...argv] : argv.slice(0, end);
  const rest = end < 0 ? [] : argv.slice(end + 1);
  let directory: string | undefined;
  // `-C DIR` comes before the command, as with git, and may be repeated.
  while (before[0] === '-C' || before[0] === '--json') {
    if (before.shift() === '--json') {
      before.push('--json');
      continue;
    }
    const given = before.shift();
    if (given === undefined) {
      throw new CoppiceError('usage', 'no-directory', '-C needs a directory.', { hint: 'coppice -C DIR list' });
    }
    directory = resolve(directory ?? cwd, given);
  }
  const words = before.filter((word) => word !== '--json');
  return { globals: { json: words.length !== before.length, directory }, words, rest };
}
