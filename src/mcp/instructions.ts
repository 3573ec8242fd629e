/** What a model is told of coppice before it calls anything. */
import type { Scope } from './scope.ts';

const hints =
  'Hints in answers name commands: `coppice VERB NAME --some-option` is the tool VERB with the input someOption. Commands that are no tool are for the person: ask them. Inputs that say "A person is asked" are decided by the person, not by you. Notes in an answer tell what came up since the last one: conflicts that formed with others, and files that are held, that is kept off the branch (as what looks like a secret or is too large).';

export function instructionsFor({ environment }: Scope): string {
  if (environment !== undefined) {
    return `You work in the coppice environment ${environment}: a git branch, a worktree and a container. \`exec\` runs commands in it; every change is checkpointed on its branch, and \`commit\` makes a commit of them. \`conflicts\` tells with whom it conflicts, \`sync\` brings in what its target branch has since. You can touch no other environment. ${hints}`;
  }
  return `Coppice gives every agent an environment of its own: a git branch, a worktree and a container. \`create\` makes one, \`exec\` runs commands in it, every change is checkpointed on its branch. \`conflicts\` tells who conflicts with whom before anything is merged; \`sync\` and \`resolve\` resolve, \`merge\` or \`land\` bring the work to its target branch, \`remove\` puts the environment away, \`restore\` brings it back. The person's checkout is touched by \`merge\`, \`land\` and \`apply\` only. ${hints}`;
}
