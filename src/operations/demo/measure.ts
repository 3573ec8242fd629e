/** How long it takes from a file being written to the commit being on the branch. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { ifPresent } from '../../platform/errno.ts';

/** Milliseconds per write, in order. The branch's own file is looked at, so that no process start is measured. */
export async function writeToCommit(tree: string, refFile: string, times: number): Promise<readonly number[]> {
  const taken: number[] = [];
  for (let round = 1; round <= times; round += 1) {
    const before = await ifPresent(readFile(refFile, 'latin1'));
    const begun = performance.now();
    await writeFile(join(tree, 'measured.txt'), `${round}\n`);
    while ((await ifPresent(readFile(refFile, 'latin1'))) === before) {
      if (performance.now() - begun > 10_000)
        throw new CoppiceError('failed', 'no-checkpoint', 'No checkpoint came within 10 s.');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    taken.push(performance.now() - begun);
  }
  return taken;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
