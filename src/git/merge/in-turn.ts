/** Merges one after the other, each onto the result of those before it, without anything to show for it. */

import type { Oid } from '../../domain/oid.ts';
import { parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { MergePair, PairOutcome } from '../merging.ts';
import { mergeAlone } from './batch.ts';
import { dressPairs } from './dress.ts';
import { withQuarantine } from './quarantine.ts';
import { scratchInMemory } from './scratch.ts';
import { nobody } from './three-way.ts';

export async function mergeInTurn(
  git: HostGit,
  scratch: string,
  start: Oid,
  turns: readonly Omit<MergePair, 'ours'>[],
): Promise<readonly PairOutcome[]> {
  return withQuarantine(git, await scratchInMemory(scratch), async (quarantine) => {
    const outcomes: PairOutcome[] = [];
    let ours = start;
    for (const [index, turn] of turns.entries()) {
      const [dressed] = (await dressPairs(git, quarantine, [{ ...turn, ours }])).pairs;
      const outcome = await mergeAlone(git, quarantine, dressed ?? { ours, theirs: turn.theirs }, `turn-${index}`);
      outcomes.push(outcome);
      if (outcome.kind !== 'clean') continue;
      const args = ['commit-tree', outcome.tree, '-p', ours, '-p', turn.theirs];
      ours = parseOid(await git.text(args, { env: { ...nobody, ...quarantine.env } }));
    }
    return outcomes;
  });
}
