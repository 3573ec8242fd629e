/** What is remembered of a merge, so that later ones start from it. */
import { hasCode } from '../../domain/error.ts';
import { bringInOutside } from '../commit.ts';
import type { Environment } from '../environment.ts';
import { readEnvironment } from '../find.ts';
import { followHead } from '../follow-head.ts';
import type { Workplace } from '../workplace.ts';
import type { Made } from './commit.ts';
import type { Part } from './part.ts';
import type { MergeRequest } from './request.ts';
import { noteDelivery } from './start.ts';

/** What later merges have to know: git itself where a merge commit says it, else a note of what was delivered. */
export async function remember(
  workplace: Workplace,
  environment: Environment,
  { into }: MergeRequest,
  { commit, kind, start }: Made,
  part: Part | undefined,
): Promise<Environment> {
  const { repository } = workplace;
  const { head } = environment.at;
  if ((kind === 'squash' || kind === 'rebase') && start !== undefined) {
    const tree = part?.tree ?? (await repository.readCommit(head)).tree;
    await noteDelivery(workplace, environment, into, { landed: commit, head, start, tree });
  }
  if (kind !== 'merge' || part === undefined || (await repository.isAncestor(part.commit, head))) return environment;
  return joinPart(workplace, environment, part);
}

/** The environment has the part already: a merge that changes no file says so to git. */
async function joinPart(workplace: Workplace, start: Environment, part: Part): Promise<Environment> {
  const { repository } = workplace;
  for (let environment = start; ; ) {
    const { head: from } = environment.at;
    const { author } = environment.record;
    const head = await repository.writeCommit({
      tree: (await repository.readCommit(from)).tree,
      parents: [from, part.commit],
      author,
      committer: author,
      message: `Merge what was delivered of ${environment.name}\n`,
    });
    try {
      const followed = await followHead(workplace, environment, { head, from, cause: 'merge', outside: true });
      await bringInOutside(workplace, followed.environment);
      return (await readEnvironment(workplace, environment.name)) ?? followed.environment;
    } catch (error) {
      const now = hasCode(error, 'head-moved') ? await readEnvironment(workplace, environment.name) : undefined;
      if (now === undefined) throw error;
      environment = now;
    }
  }
}
