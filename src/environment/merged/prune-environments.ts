/** Which environments have done their work: all of it is in the target, nobody is in there, and nothing else is kept only there. */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { shortName } from '../../domain/ref-name.ts';
import { processesIn } from '../../platform/processes-in.ts';
import type { Environment } from '../environment.ts';
import { isMaterialized } from '../materialize.ts';
import { readLeftInside } from '../mirror-branches.ts';
import { type Reconciled, reconcile } from '../reconcile.ts';
import { recordFile } from '../record.ts';
import { describeCommand, runningExecs } from '../running-execs.ts';
import type { Workplace } from '../workplace.ts';
import type { ForgeAnswer } from './ask.ts';
import { mergedState, type Verdict } from './merged.ts';

export interface Rules {
  /** Only what was last worked in before. */
  readonly before: Date | undefined;
  /** Those in which nothing was ever changed count as done. */
  readonly unchanged: boolean;
}

/** `done` with the reason why it may go, or the reason why it stays. */
export type Judgement =
  | { readonly done: true; readonly verdict: Verdict }
  | { readonly done: false; readonly why: string };

const stays = (why: string): Judgement => ({ done: false, why });

/**
 * Saves what is in the files first, as any look at an environment does. `answer`: what its forge says; it is for one commit,
 * and counts for nothing once there is another.
 */
export async function judge(
  workplace: Workplace,
  environment: Environment,
  rules: Rules,
  answer: ForgeAnswer = {},
): Promise<Judgement> {
  const first = await mergedState(workplace, withWord(environment, answer));
  const early = whyNotMerged(environment, first, rules, answer) ?? (await whyInUse(workplace, environment));
  if (early !== undefined) return stays(early);
  try {
    const seen = await reconcile(workplace, environment, { rehash: true });
    const verdict = await mergedState(workplace, withWord(seen.environment, answer));
    const why =
      whyNotMerged(seen.environment, verdict, rules, answer) ??
      whyNotSaved(seen) ??
      (await whyOtherWork(workplace, seen.environment)) ??
      (await whyTooYoung(workplace, seen.environment, rules));
    return why === undefined ? { done: true, verdict } : stays(why);
  } catch (error) {
    if (error instanceof CoppiceError) return stays(await whyFailed(workplace, environment, error));
    throw error;
  }
}

/** An odd failure is no wonder where somebody else has taken it away in the middle of the look. */
export async function whyFailed(
  { repository }: Workplace,
  { refs }: Environment,
  { message }: CoppiceError,
): Promise<string> {
  return (await repository.readRef(refs.record)) === undefined ? 'another command has removed it meanwhile' : message;
}

function withWord(environment: Environment, { word }: ForgeAnswer): Environment {
  return word === undefined ? environment : { ...environment, word };
}

function whyNotMerged(
  { target, word }: Environment,
  verdict: Verdict,
  rules: Rules,
  answer: ForgeAnswer,
): string | undefined {
  if (verdict.state === 'merged' || (verdict.state === 'unchanged' && rules.unchanged)) return undefined;
  if (verdict.state === 'unchanged') return 'nothing was changed in it yet';
  const where = target === undefined ? 'any branch' : shortName(target);
  if (verdict.reverted) return `it was reverted in ${where}`;
  // It was of an earlier commit, or it would be merged.
  const { reference } = answer.word ?? word ?? {};
  const remark =
    answer.remark ?? (reference === undefined ? undefined : `it has changed since ${reference} was merged`);
  return `it has work that is not in ${where}${remark === undefined ? '' : `: ${remark}`}`;
}

async function whyInUse(workplace: Workplace, { name, directories }: Environment): Promise<string | undefined> {
  const [running] = await runningExecs(workplace.repository.commonDirectory, name);
  if (running !== undefined) return `${describeCommand(running.command)} is running in it`;
  const [there] = processesIn(directories.root);
  return there === undefined ? undefined : `${there.command} (process ${there.pid}) is in its directory`;
}

function whyNotSaved({ held, operation, notImported, environment }: Reconciled): string | undefined {
  if (operation !== undefined) return `a ${operation} is under way inside`;
  if (notImported !== undefined && isMaterialized(environment)) return `its commits cannot be brought out`;
  if (held.length > 0) return `it holds ${held.length} changed files that are on no branch`;
  return undefined;
}

/** Other branches that were made inside, and what was stashed. */
async function whyOtherWork(workplace: Workplace, environment: Environment): Promise<string | undefined> {
  const { repository } = workplace;
  const { at, refs, target } = environment;
  const prefix = `${refs.prefix}heads/`;
  const goal = target === undefined ? undefined : await repository.readRef(target);
  const reached: readonly Oid[] = [at.tip, at.base, ...(goal === undefined ? [] : [goal])];
  for (const { name, oid } of await repository.listRefs(prefix)) {
    const known = await Promise.all(reached.map((commit) => repository.isAncestor(oid, commit)));
    if (!known.includes(true)) return `it has another branch with work, ${name.slice(prefix.length)}`;
  }
  const [left] = await readLeftInside(workplace, environment);
  if (left !== undefined) return `${left.branches.join(', ') || 'a branch'} inside could not be brought out`;
  const stashes = await repository.listRefs(`${refs.prefix}stashes/`);
  if (stashes.length === 0) return undefined;
  return `it has ${stashes.length === 1 ? 'a stash' : `${stashes.length} stashes`} inside`;
}

async function whyTooYoung({ repository }: Workplace, { at }: Environment, rules: Rules): Promise<string | undefined> {
  const { before } = rules;
  if (before === undefined) return undefined;
  // What the forge said was no work, though it is in the record too.
  const [tip, ran] = await Promise.all([
    repository.readCommit(at.tip),
    repository.log({ start: at.record, paths: ['execs', recordFile], limit: 1 }),
  ]);
  const last = Math.max(...[tip, ...ran].map(({ committer }) => committer.seconds)) * 1000;
  return last < before.getTime() ? undefined : 'it was worked in since then';
}
