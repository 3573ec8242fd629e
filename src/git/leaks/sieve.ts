/** What of the user's uncommitted changes does not go into an environment: the same as a checkpoint would hold. */
import type { Held } from '../../domain/change.ts';
import { gate, tooLarge } from '../checkpoint/gate.ts';
import { openSecretScanner } from '../checkpoint/secrets/scanner.ts';
import type { HoldLimits, SecretSearch } from '../checkpointer.ts';
import type { Sieve } from '../repository.ts';
import { changedFile } from './commit-changes.ts';
import { examineChanges, newBlobs } from './examine.ts';

export function sieveFor(limits: HoldLimits, search: SecretSearch): Sieve {
  return async (changes, { sizesOf, read }) => {
    const files = changes.map(changedFile);
    const sizes = await sizesOf(newBlobs(files));
    const sized = files
      .filter(({ after }) => after !== undefined)
      .map((file) => ({
        ...file,
        before: file.before.length === 0 ? undefined : file.before,
        stat: { size: (file.after === undefined ? undefined : sizes.get(file.after)) ?? 0 },
      }));
    const large = sized
      .filter(({ stat }) => stat.size > limits.fileBytes)
      .map(({ path, stat }): Held => tooLarge(path, stat.size, limits));
    const gated = gate(
      sized.filter(({ stat }) => stat.size <= limits.fileBytes),
      limits,
      () => false,
    );
    const left = new Set([...large, ...gated.held].map(({ path }) => path));
    const recordedBefore = async () => false;
    const found = await examineChanges(
      await openSecretScanner(search),
      { sizeOf: (oid) => sizes.get(oid), read, recordedBefore },
      files.filter(({ path }) => !left.has(path)),
    );
    const secret = found.map(({ path, detail }): Held => ({ path, reason: 'secret', detail }));
    return [...large, ...gated.held, ...secret].sort((one, other) => (one.path < other.path ? -1 : 1));
  };
}
