/** Merging with the native git of the host. */
import type { Surroundings } from '../../platform/surroundings.ts';
import { hostGit } from '../host-git.ts';
import type { Merging } from '../merging.ts';
import type { Repository } from '../repository.ts';
import { advance } from './advance.ts';
import { applyToCheckout } from './apply.ts';
import { mergeChain } from './chain.ts';
import { makeForesee } from './foresee/foresee.ts';
import { mergeInTurn } from './in-turn.ts';
import { mergeAll } from './merge-all.ts';
import { mergeTexts } from './merge-texts.ts';
import { withQuarantine } from './quarantine.ts';
import { mergeCommits, mergeTrees } from './three-way.ts';

export function createMerging(surroundings: Surroundings, repository: Repository): Merging {
  const git = hostGit(repository.commonDirectory, surroundings);
  const scratch = surroundings.runtimeDirectory;
  return {
    merge: (ours, theirs, { keep = true, style = 'merge' } = {}) =>
      withQuarantine(git, scratch, async (quarantine) => {
        const outcome = await mergeCommits(git, quarantine, ours, theirs, 'tree', [`merge.conflictStyle=${style}`]);
        if (keep) await quarantine.promote();
        return outcome;
      }),
    mergeTrees: (base, ours, theirs, { keep = true, style = 'merge' } = {}) =>
      withQuarantine(git, scratch, async (quarantine) => {
        const { outcome, dressed } = await mergeTrees(git, quarantine, base, ours, theirs, [
          `merge.conflictStyle=${style}`,
        ]);
        if (keep) await quarantine.promote(dressed);
        return outcome;
      }),
    mergeInTurn: (start, turns) => mergeInTurn(git, scratch, start, turns),
    foresee: makeForesee({
      git,
      objectFormat: repository.objectFormat,
      scratch,
      mergeWhole: (pairs) => mergeAll(git, scratch, pairs, { keep: false, regions: true }),
    }),
    mergeTexts: (base, ours, theirs) => mergeTexts(git, scratch, base, ours, theirs),
    chain: (start, sides, request) =>
      mergeChain({ git, scratch, objectFormat: repository.objectFormat }, start, sides, request),
    mergeAll: (pairs, options) => mergeAll(git, scratch, pairs, options),
    advance: (branch, before, after, reason) =>
      advance({ surroundings, repository, git }, { branch, before, after, reason }),
    applyToCheckout: (base, theirs) => applyToCheckout({ surroundings, repository, git }, base, theirs),
  };
}
