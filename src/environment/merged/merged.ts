/** Tells whether an environment's work is in its target already, and how that is known; remembered until either of them moves. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import { errnoOf } from '../../platform/errno.ts';
import type { Environment } from '../environment.ts';
import { mergeStart } from '../merge/start.ts';
import { cacheDirectory } from '../running-execs.ts';
import type { Workplace } from '../workplace.ts';
import { type MergedByForge, mergedByForge, wordOn } from './by-forge.ts';
import { type InTarget, lookInTarget } from './in-target.ts';

export type MergedState =
  /** Nothing was ever changed. */
  'unchanged' | 'merged' | 'unmerged';

export type Verdict =
  | { readonly state: 'unchanged' }
  | ({ readonly state: 'merged' } & (InTarget | MergedByForge))
  /** `reverted`: the target has its commits in its history, and none of what they changed in its files. */
  | { readonly state: 'unmerged'; readonly reverted: boolean };

const unmerged: Verdict = { state: 'unmerged', reverted: false };

/** Never by names or messages. In doubt it is not merged. Asks nobody: what a forge says is learnt by `prune`. */
export async function mergedState(workplace: Workplace, environment: Environment): Promise<Verdict> {
  const { repository } = workplace;
  const { tip, base, head } = environment.at;
  if (tip === base) return { state: 'unchanged' };
  const target = environment.target === undefined ? undefined : await repository.readRef(environment.target);
  if (target === undefined) {
    const [tipCommit, baseCommit] = await repository.readCommits([tip, base]);
    if (tipCommit?.tree === baseCommit?.tree && tip === head) return { state: 'unchanged' };
    return verdictOf(await mergedByForge(workplace, environment, undefined));
  }
  const known = await recall(workplace, environment, target);
  if (known !== undefined) return known;
  const found = await lookInTarget(workplace, environment.at, target);
  const verdict = verdictOf(found ?? (await mergedByForge(workplace, environment, target)));
  await remember(workplace, environment, target, verdict);
  return verdict;
}

function verdictOf(found: InTarget | MergedByForge | 'reverted' | undefined): Verdict {
  if (found === undefined) return unmerged;
  return found === 'reverted' ? { state: 'unmerged', reverted: true } : { state: 'merged', ...found };
}

/**
 * Of many at once, for lists: what is known, and what one batch of merges tells. Undefined where that is not enough, which
 * is rare and told by `mergedState`.
 */
export async function mergedStates(
  workplace: Workplace,
  environments: readonly Environment[],
): Promise<ReadonlyMap<Environment, Verdict>> {
  const verdicts = new Map<Environment, Verdict>();
  const open: { readonly environment: Environment; readonly target: Oid }[] = [];
  const targets = await targetsOf(workplace, environments);
  for (const environment of environments) {
    const target = targets.get(environment.target);
    if (environment.at.tip === environment.at.base) verdicts.set(environment, { state: 'unchanged' });
    else if (target !== undefined) {
      const known = await recall(workplace, environment, target);
      if (known === undefined) open.push({ environment, target });
      else verdicts.set(environment, known);
    }
  }
  // Where a forge has said something, no merge has to tell.
  const said = open.filter(({ environment }) => wordOn(environment) !== undefined);
  for (const { environment } of said) verdicts.set(environment, await mergedState(workplace, environment));
  const unsaid = open.filter((each) => !said.includes(each));
  for (const { environment, target, adds } of await whetherTheyAdd(workplace, unsaid)) {
    if (adds) await remember(workplace, environment, target, unmerged);
    verdicts.set(environment, adds ? unmerged : await mergedState(workplace, environment));
  }
  return verdicts;
}

/** Of many at once, without looking into anything. `targets`: where the branches are. */
export async function rememberedStates(
  workplace: Workplace,
  environments: readonly Environment[],
  targets: ReadonlyMap<RefName | undefined, Oid>,
): Promise<ReadonlyMap<Environment, Verdict>> {
  const verdicts = new Map<Environment, Verdict>();
  const look = async (environment: Environment) => {
    const target = targets.get(environment.target);
    if (environment.at.tip === environment.at.base) verdicts.set(environment, { state: 'unchanged' });
    else if (target !== undefined) {
      const known = await recall(workplace, environment, target);
      if (known !== undefined) verdicts.set(environment, known);
    }
  };
  await Promise.all(environments.map(look));
  return verdicts;
}

async function targetsOf(
  { repository }: Workplace,
  environments: readonly Environment[],
): Promise<ReadonlyMap<RefName | undefined, Oid>> {
  const names = [...new Set(environments.flatMap(({ target }) => target ?? []))];
  const refs = names.length === 0 ? [] : await repository.listRefs(...names);
  return new Map(refs.filter(({ name }) => names.includes(name)).map(({ name, oid }) => [name, oid]));
}

/** Those whose tip conflicts with the target are left out. */
async function whetherTheyAdd(
  { repository, merging }: Workplace,
  open: readonly { readonly environment: Environment; readonly target: Oid }[],
) {
  if (open.length === 0) return [];
  const goals = await repository.readCommits([...new Set(open.map(({ target }) => target))]);
  const trees = new Map(goals.map(({ oid, tree }) => [oid, tree]));
  const pairs = open.map(({ environment, target }) => ({ ours: target, theirs: environment.at.tip }));
  const answers: { environment: Environment; target: Oid; adds: boolean }[] = [];
  let index = 0;
  for await (const outcome of merging.mergeAll(pairs, { keep: false })) {
    const each = open[index];
    index += 1;
    if (each === undefined || outcome.kind !== 'clean') continue;
    answers.push({ ...each, adds: outcome.tree !== trees.get(each.target) });
  }
  return answers;
}

/** Raised when the way of telling changes: what an older coppice remembered does not count then. */
const version = 2;

interface Remembered {
  readonly key: string;
  readonly verdict: Verdict;
}

function keyOf(environment: Environment, target: Oid): string {
  const { at } = environment;
  const word = wordOn(environment);
  return [
    version,
    at.tip,
    at.head,
    at.base,
    target,
    ...(word === undefined ? [] : [word.forge, word.number, word.mergeCommit]),
  ].join(' ');
}

function cacheFile({ repository }: Workplace, { name }: Environment): string {
  return join(cacheDirectory(repository.commonDirectory, name), 'merged.json');
}

/** What was found for just this tip and this target; undefined when nobody has looked since one of them moved. */
export async function recall(
  workplace: Workplace,
  environment: Environment,
  target: Oid,
): Promise<Verdict | undefined> {
  try {
    const found = JSON.parse(await readFile(cacheFile(workplace, environment), 'utf8')) as Remembered;
    return found.key === keyOf(environment, target) ? found.verdict : undefined;
  } catch (error) {
    if (errnoOf(error) !== undefined || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function remember(workplace: Workplace, environment: Environment, target: Oid, verdict: Verdict): Promise<void> {
  const file = cacheFile(workplace, environment);
  const draft = `${file}.${process.pid}`;
  const remembered: Remembered = { key: keyOf(environment, target), verdict };
  try {
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(draft, JSON.stringify(remembered));
    await rename(draft, file);
  } catch (error) {
    // A cache that cannot be written costs time only.
    if (errnoOf(error) === undefined) throw error;
  }
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

/** The same as a tree (or commit) to compare with: what a squash or rebase brought to the target already is not shown again. */
export async function startOfChange(workplace: Workplace, environment: Environment): Promise<Oid> {
  const { target, at } = environment;
  const targetTip = target === undefined ? undefined : await workplace.repository.readRef(target);
  if (target === undefined || targetTip === undefined) return startOfWork(workplace, environment);
  const start = await mergeStart(workplace, environment, target, targetTip, at.tip);
  return start === undefined || start.tree === start.commit ? startOfWork(workplace, environment) : start.tree;
}
