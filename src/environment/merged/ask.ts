/**
 * Asks forges whether work was merged that git alone does not find in its target. The word counts where the pull request was
 * merged into the target's own branch and everything is in what was merged: the tip itself, or a commit that stands on it.
 */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { BranchForge, PullRequest } from '../../forge/forge.ts';
import type { Environment } from '../environment.ts';
import type { Report, Workplace } from '../workplace.ts';
import type { MergedWord } from './word.ts';

export interface ForgeAnswer {
  readonly word?: MergedWord;
  /** What else it says of the work, to go after “it has work that is not in main”: `#12 is open`. */
  readonly remark?: string;
}

/** Why a forge could not be asked, or did not answer. */
export interface NotAsked {
  /** For people; null where not even that is known. */
  readonly forge: string | null;
  readonly code: string;
  readonly reason: string;
  readonly hint: string | null;
}

export interface Asked {
  readonly answers: ReadonlyMap<string, ForgeAnswer>;
  readonly notAsked: readonly NotAsked[];
}

export interface AskOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Questions under way at a time: forges have limits, and somebody waits. */
const atOnce = 4;

export async function askForges(
  workplace: Workplace,
  environments: readonly Environment[],
  options: AskOptions,
): Promise<Asked> {
  const answers = new Map<string, ForgeAnswer>();
  const notAsked: NotAsked[] = [];
  for (const [target, group] of groupByTarget(environments)) {
    const problem = await askAbout(workplace, target, group, options, answers);
    if (problem !== undefined) notAsked.push(problem);
  }
  return { answers, notAsked };
}

function groupByTarget(environments: readonly Environment[]): ReadonlyMap<RefName, readonly Environment[]> {
  const groups = new Map<RefName, Environment[]>();
  for (const environment of environments) {
    if (environment.target === undefined) continue;
    const group = groups.get(environment.target) ?? [];
    groups.set(environment.target, [...group, environment]);
  }
  return groups;
}

/** The first failure ends it: what one question meets, the others would meet as well. What was answered until then holds. */
async function askAbout(
  workplace: Workplace,
  target: RefName,
  group: readonly Environment[],
  { signal, report }: AskOptions,
  answers: Map<string, ForgeAnswer>,
): Promise<NotAsked | undefined> {
  let name: string | null = null;
  try {
    const found = await workplace.forges.of(target, signal);
    if ('none' in found) {
      return found.none === null ? undefined : { forge: null, code: 'forge-unknown', reason: found.none, hint: null };
    }
    name = found.forge.name;
    report(`asking ${name} about ${group.length === 1 ? group[0]?.name : `${group.length} environments`}`);
    await someAtATime(group, async (each) => void answers.set(each.name, await askOne(workplace, found, each)));
    return undefined;
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.kind === 'interrupted' || error.kind === 'bug') throw error;
    return { forge: name, code: error.code, reason: error.message, hint: error.hint ?? null };
  }
}

/** After a failure nothing more is begun, and what is under way is waited for. */
async function someAtATime<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      await work(next).catch((error: unknown) => {
        left.length = 0;
        throw error;
      });
    }
  };
  const done = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = done.find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function askOne(workplace: Workplace, from: BranchForge, environment: Environment): Promise<ForgeAnswer> {
  const { refs, at } = environment;
  const heads = await from.headsOf(refs.branch, at.tip);
  const pulls = await from.forge.findPullRequests({ ...heads, commit: at.tip });
  const remarks: string[] = [];
  for (const pull of pulls) {
    if (pull.state === 'merged' && pull.base === from.base && (await contains(workplace, from, pull, at.tip))) {
      return { word: wordOf(workplace, from, pull, at.tip) };
    }
    const remark = await remarkOn(workplace, from, pull, environment);
    if (remark !== undefined) remarks.push(remark);
  }
  return remarks.length === 0 ? {} : { remark: remarks.slice(0, 3).join(', ') };
}

/** Whether what was merged has the commit, and so everything it stands on. Object names cannot be the same by chance. */
async function contains(
  { repository }: Workplace,
  { forge }: BranchForge,
  { head, number }: PullRequest,
  tip: Oid,
): Promise<boolean> {
  if (head === tip) return true;
  if (head !== undefined && (await repository.resolveCommit(head)) !== undefined) {
    return repository.isAncestor(tip, head);
  }
  // Somebody went on with it there, and nobody has fetched that.
  return (await forge.commitsOf(number)).includes(tip);
}

function wordOf({ now }: Workplace, { forge }: BranchForge, pull: PullRequest, tip: Oid): MergedWord {
  const { number, reference, url, title, base, head = null, mergeCommit = null } = pull;
  const learntAt = now().toISOString();
  return { version: 1, forge: forge.name, number, reference, url, title, base, head, mergeCommit, tip, learntAt };
}

/** Nothing of one that only had the same branch name at another time. */
async function remarkOn(
  workplace: Workplace,
  { base }: BranchForge,
  pull: PullRequest,
  environment: Environment,
): Promise<string | undefined> {
  const { repository } = workplace;
  const { tip, base: start } = environment.at;
  const { head, reference } = pull;
  const here = head !== undefined && (await repository.resolveCommit(head)) !== undefined;
  const own = here && (await repository.isAncestor(head, tip)) && !(await repository.isAncestor(head, start));
  if (pull.state === 'merged') {
    if (pull.base !== base) return own ? `${reference} was merged into ${pull.base}` : undefined;
    if (!own) return undefined;
    const more = (await repository.log({ start: tip, exclude: [head], limit: mostCounted })).length;
    return `${reference} was merged without its last ${more === 1 ? 'commit' : `${more} commits`}`;
  }
  if (here && !own && !(await repository.isAncestor(tip, head))) return undefined;
  return pull.state === 'open' ? `${reference} is open` : `${reference} was closed and not merged`;
}

const mostCounted = 1000;
