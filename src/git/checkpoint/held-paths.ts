/** What is held in an environment, complete at all times, and the reasons that still stand without reading a file again. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { Held } from '../../domain/change.ts';
import type { Oid } from '../../domain/oid.ts';
import { type FileStat, sameStat } from '../../platform/tree-reader.ts';
import type { HoldLimits } from '../checkpointer.ts';
import type { Findings, Suspect } from './scan.ts';
import { covers } from './scope.ts';
import type { Overflow } from './stat-cache.ts';

export interface HeldPaths {
  /** In order of path. */
  list(): readonly Held[];
  /** With a suspect, the verdict stands as long as the file and what is recorded of it stay the same. */
  add(held: Held, suspect?: Suspect): void;
  /** Replaces what was held in the part that was looked at. Returns the suspects that must be read to know more. */
  settle(findings: Findings, rehash: boolean): readonly Suspect[];
  /** Whether the path was one of too many before the last `settle`. */
  wasOverflow(path: BytePath): boolean;
  forgetVerdicts(): void;
  overflow(): Overflow | undefined;
  overflowChanged(): boolean;
  takeOverflowChanged(): boolean;
}

interface Verdict {
  readonly stat: FileStat;
  readonly before: Oid | undefined;
  readonly held: Held;
}

/** `kept`: what the cache on disk has of files held for being too many; good for the same limits only. */
export function openHeldPaths(limits: HoldLimits, kept: Overflow | undefined): HeldPaths {
  const held = new Map<BytePath, Held>();
  const verdicts = new Map<BytePath, Verdict>();
  let before: ReadonlySet<BytePath> = new Set();
  let list: readonly Held[] | undefined;
  let overflowChanged = false;
  const sameLimits = kept !== undefined && JSON.stringify(kept.limits) === JSON.stringify(limits);
  if (sameLimits) for (const one of kept.held) held.set(one.path, one);

  const add = (one: Held, suspect?: Suspect) => {
    held.set(one.path, one);
    list = undefined;
    if (one.reason === 'too-much' && !before.has(one.path)) overflowChanged = true;
    if (suspect !== undefined) {
      verdicts.set(one.path, { stat: suspect.stat, before: suspect.before?.oid, held: one });
    }
  };

  /** Forgets what the look at the tree covers. Returns the verdicts that it had. */
  const clear = ({ covered }: Findings): ReadonlyMap<BytePath, Verdict> => {
    const standing = new Map<BytePath, Verdict>();
    for (const [path, verdict] of verdicts) if (covers(covered, path)) standing.set(path, verdict);
    for (const path of standing.keys()) verdicts.delete(path);
    const overflow = new Set<BytePath>();
    for (const [path, one] of held) {
      if (!covers(covered, path)) continue;
      if (one.reason === 'too-much') overflow.add(path);
      held.delete(path);
      list = undefined;
    }
    before = overflow;
    return standing;
  };

  return {
    list() {
      list ??= [...held.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
      return list;
    },
    add,
    settle(findings, rehash) {
      const standing = clear(findings);
      for (const one of findings.held) add(one);
      return findings.suspects.filter((suspect) => {
        const verdict = rehash ? undefined : standing.get(suspect.path);
        if (verdict === undefined || verdict.before !== suspect.before?.oid) return true;
        if (!sameStat(verdict.stat, suspect.stat)) return true;
        add(verdict.held, suspect);
        return false;
      });
    },
    wasOverflow: (path) => before.has(path),
    forgetVerdicts: () => verdicts.clear(),
    overflow() {
      const many = [...held.values()].filter((one) => one.reason === 'too-much');
      return many.length === 0 ? undefined : { limits, held: many };
    },
    overflowChanged: () => overflowChanged,
    takeOverflowChanged() {
      const was = overflowChanged;
      overflowChanged = false;
      return was;
    },
  };
}
