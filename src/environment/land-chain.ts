/** The merge of candidates one after the other, as a line of merge commits, and who does not fit in because of whom. */
import type { EnvironmentName } from '../domain/environment-name.ts';
import type { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { type RefName, shortName } from '../domain/ref-name.ts';
import type { Conflict } from '../git/merging.ts';
import type { CommitInfo } from '../git/repository.ts';
import { type Candidate, startsOf } from './land-candidates.ts';
import { mergeMessage } from './merge-message.ts';
import { authorOf } from './starting-point.ts';
import type { Workplace } from './workplace.ts';

export interface Link {
  readonly name: EnvironmentName;
  readonly candidate: Candidate;
  /** The merge commit. */
  readonly commit: Oid;
}

export interface Linked {
  /** In this order. */
  readonly links: readonly Link[];
  /** The last of them; the branch itself where there is none. */
  readonly after: Oid;
  readonly contained: readonly EnvironmentName[];
  readonly left: readonly { readonly candidate: Candidate; readonly conflicts: readonly Conflict[] }[];
  /** Those that git cannot merge at all. */
  readonly impossible: readonly { readonly name: EnvironmentName; readonly error: CoppiceError }[];
}

export async function chainOf(
  workplace: Workplace,
  into: RefName,
  before: Oid,
  candidates: readonly Candidate[],
): Promise<Linked> {
  const [starts, messages, author] = await Promise.all([
    startsOf(workplace, candidates, into, before),
    messagesOf(workplace, before, candidates),
    authorOf(workplace),
  ]);
  const sides = candidates.map(({ environment }, index) => {
    const base = starts.get(environment.name);
    return { commit: environment.at.tip, message: messages[index] ?? '', ...(base === undefined ? {} : { base }) };
  });
  const steps = await workplace.merging.chain(before, sides, author);
  const links: Link[] = [];
  const contained: EnvironmentName[] = [];
  const left: { candidate: Candidate; conflicts: readonly Conflict[] }[] = [];
  const impossible: { name: EnvironmentName; error: CoppiceError }[] = [];
  for (const [index, step] of steps.entries()) {
    const candidate = candidates[index];
    if (candidate === undefined) continue;
    const { name } = candidate.environment;
    if (step.kind === 'clean') links.push({ name, candidate, commit: step.commit });
    else if (step.kind === 'contained') contained.push(name);
    else if (step.kind === 'conflict') left.push({ candidate, conflicts: step.conflicts });
    else impossible.push({ name, error: step.error });
  }
  return { links, after: links.at(-1)?.commit ?? before, contained, left, impossible };
}

/** As `merge` composes them, from one walk over the commits of all. */
async function messagesOf(
  { repository }: Workplace,
  before: Oid,
  candidates: readonly Candidate[],
): Promise<readonly string[]> {
  const [first, ...others] = candidates.map(({ environment }) => environment.at.tip);
  if (first === undefined) return [];
  const commits = await repository.log({ start: first, also: others, exclude: [before] });
  const known = new Map(commits.map((commit, index) => [commit.oid, { commit, index }]));
  return candidates.map(({ environment }) => {
    const { tip, base } = environment.at;
    const own = new Map<number, CommitInfo>();
    for (let open: Oid[] = [tip]; open.length > 0; ) {
      const found = known.get(open.pop() ?? base);
      if (found === undefined || found.commit.oid === base || own.has(found.index)) continue;
      own.set(found.index, found.commit);
      open = [...open, ...found.commit.parents];
    }
    const newestFirst = [...own].sort(([one], [other]) => one - other).map(([, commit]) => commit);
    return mergeMessage(environment, { given: undefined, linear: false, part: false, commits: newestFirst });
  });
}

export interface Conflicted {
  readonly name: EnvironmentName;
  /** The branch, or environments that land before it. Empty: with several of them together only. */
  readonly with: readonly string[];
  readonly conflicts: readonly Conflict[];
}

export async function whoConflicts(
  workplace: Workplace,
  into: RefName,
  before: Oid,
  { links, left }: Linked,
): Promise<readonly Conflicted[]> {
  const others = [
    { name: shortName(into), commit: before },
    ...links.map(({ name, candidate }) => ({ name: name as string, commit: candidate.environment.at.tip })),
  ];
  const conflicted: Conflicted[] = [];
  for (const { candidate, conflicts } of left) {
    const { name, at } = candidate.environment;
    const pairs = others.map(({ commit }) => ({ ours: commit, theirs: at.tip }));
    const apart = await workplace.merging.apart(pairs);
    const asked = others.filter((_, index) => apart[index] !== true);
    const met: string[] = [];
    let index = 0;
    const open = asked.map(({ commit }) => ({ ours: commit, theirs: at.tip }));
    for await (const outcome of workplace.merging.mergeAll(open, { keep: false })) {
      const other = asked[index];
      index += 1;
      if (outcome.kind === 'conflict' && other !== undefined) met.push(other.name);
    }
    conflicted.push({ name, with: met, conflicts });
  }
  return conflicted;
}
