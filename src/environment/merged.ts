/** Tells whether an environment's work is in a branch already. Never by names or messages: by ancestry and by trees. */
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

export type MergedState =
  /** Nothing was ever changed. */
  | 'unchanged'
  /** The tip is an ancestor of the target, or merging it again would change nothing there (as after a squash). */
  | 'merged'
  | 'unmerged';

export async function mergedState(workplace: Workplace, environment: Environment): Promise<MergedState> {
  const { repository } = workplace;
  const { tip, base } = environment.at;
  const [tipCommit, baseCommit] = await Promise.all([repository.readCommit(tip), repository.readCommit(base)]);
  if (tip === base) return 'unchanged';
  const target = environment.target === undefined ? undefined : await repository.readRef(environment.target);
  if (target === undefined)
    return tipCommit.tree === baseCommit.tree && tip === environment.at.head ? 'unchanged' : 'unmerged';
  if (await repository.isAncestor(tip, target)) return 'merged';
  return (await addsNothing(workplace, target, tip)) ? 'merged' : 'unmerged';
}

/** A three-way merge of `tip` into `target` that ends with the target's own tree. */
async function addsNothing(workplace: Workplace, target: Oid, tip: Oid): Promise<boolean> {
  const outcome = await workplace.merging.merge(target, tip);
  return outcome.kind === 'clean' && outcome.tree === (await workplace.repository.readCommit(target)).tree;
}

/**
 * What `diff` and `log` start from: the base, or the newest commit of the target that was merged into the environment
 * since, so that only the environment's own work shows.
 */
export async function startOfWork(workplace: Workplace, environment: Environment, against?: RefName): Promise<Oid> {
  const { repository } = workplace;
  const { base, tip } = environment.at;
  const target = against ?? environment.target;
  const targetTip = target === undefined ? undefined : await repository.readRef(target);
  if (targetTip === undefined) return base;
  const common = await repository.mergeBase(targetTip, tip);
  if (common === undefined || common === base || (await repository.isAncestor(common, base))) return base;
  // On the environment's own line the target has merged the environment, not the other way round.
  const own = await repository.log({ start: tip, exclude: [base], firstParent: true });
  return own.some(({ oid }) => oid === common) ? base : common;
}
