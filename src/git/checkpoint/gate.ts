/**
 * Keeps a checkpoint from swallowing what nobody meant to keep: a directory of build output, a data set. Of too many new
 * files the smallest go in and the rest is held, and stays held until it is ignored or gone or the limits change;
 * else every scan would let the next few thousand through. What is recorded already always goes in.
 */
import type { BytePath } from '../../domain/byte-path.ts';
import type { Held } from '../../domain/change.ts';
import type { HoldLimits } from '../checkpointer.ts';

/** A changed path, as far as its size matters; `before` is what is recorded of it. */
export interface Sized {
  readonly path: BytePath;
  readonly stat: { readonly size: number };
  readonly before: unknown;
}

export interface Gated<Path extends Sized> {
  readonly admitted: readonly Path[];
  readonly held: readonly Held[];
}

/** `sticky`: paths that an earlier checkpoint held for the same reason. */
export function gate<Path extends Sized>(
  suspects: readonly Path[],
  limits: HoldLimits,
  sticky: (path: BytePath) => boolean,
): Gated<Path> {
  const bytes = (suspect: Path) => (suspect.stat.size > limits.fileBytes ? 0 : suspect.stat.size);
  const admitted = suspects.filter((suspect) => suspect.before !== undefined);
  const held: Held[] = [];
  const fresh: Path[] = [];
  for (const suspect of suspects) {
    if (suspect.before !== undefined) continue;
    if (sticky(suspect.path)) held.push(tooMuch(suspect, limits));
    else fresh.push(suspect);
  }
  fresh.sort((left, right) => bytes(left) - bytes(right) || (left.path < right.path ? -1 : 1));
  let total = 0;
  fresh.forEach((suspect, index) => {
    total += bytes(suspect);
    if (index < limits.checkpointFiles && total <= limits.checkpointBytes) admitted.push(suspect);
    else held.push(tooMuch(suspect, limits));
  });
  return { admitted, held };
}

function tooMuch({ path }: Sized, limits: HoldLimits): Held {
  const files = limits.checkpointFiles.toLocaleString('en');
  const detail = `one of too many new files: over ${files} or ${mebibytes(limits.checkpointBytes)} at once`;
  return { path, reason: 'too-much', detail };
}

/** Of one file. */
export function tooLarge(path: BytePath, bytes: number, limits: Pick<HoldLimits, 'fileBytes'>): Held {
  const detail = `${mebibytes(bytes)}, over the limit of ${mebibytes(limits.fileBytes)}`;
  return { path, reason: 'too-large', detail };
}

/** `12.4 MiB`. */
function mebibytes(bytes: number): string {
  const value = bytes / 2 ** 20;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} MiB`;
}
