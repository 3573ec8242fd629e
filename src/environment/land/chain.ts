/** The merge of candidates one after the other, as a line of commits, and who does not fit in because of whom. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import type { ChainConflict, Conflict, Foreseen } from '../../git/merging.ts';
import type { CommitInfo } from '../../git/repository.ts';
import { isMaterialized } from '../materialize.ts';
import { type HelpOptions, helped } from '../merge/conflict.ts';
import type { ResolvedInside } from '../merge/inside.ts';
import { mergeMessage } from '../merge/message.ts';
import { mergeFrom, mergeStart } from '../merge/start.ts';
import { authorOf } from '../starting-point.ts';
import type { Workplace } from '../workplace.ts';
import { type Candidate, startsOf } from './candidates.ts';

export interface Link {
  readonly name: EnvironmentName;
  readonly candidate: Candidate;
  /** The merge commit, or with a squash the plain one. */
  readonly commit: Oid;
  /** What it stands on. */
  readonly before: Oid;
  readonly tree: Oid;
  readonly message: string;
  /** Conflicts with what is before it that something else than git resolved. */
  readonly resolved: readonly ResolvedInside[];
}

export interface Left {
  readonly candidate: Candidate;
  readonly conflicts: readonly Conflict[];
  /** What drivers and commands wrote that could not resolve it. */
  readonly output: string;
}

export interface Linked {
  /** In this order. */
  readonly links: readonly Link[];
  /** The last of them; the branch itself where there is none. */
  readonly after: Oid;
  readonly contained: readonly EnvironmentName[];
  readonly left: readonly Left[];
  /** Those that git cannot merge at all. */
  readonly impossible: readonly { readonly name: EnvironmentName; readonly error: CoppiceError }[];
}

/** How the line is made. */
export interface Line {
  readonly into: RefName;
  /** What it begins on. */
  readonly before: Oid;
  /** One plain commit for each. */
  readonly squash: boolean;
  /** What else may resolve a conflict. */
  readonly help: HelpOptions;
}

export async function chainOf(workplace: Workplace, line: Line, candidates: readonly Candidate[]): Promise<Linked> {
  const { into, before, squash } = line;
  const [starts, messages, author] = await Promise.all([
    startsOf(workplace, candidates, into, before),
    messagesOf(workplace, line, candidates),
    authorOf(workplace),
  ]);
  const sides = candidates.map(({ environment }, index) => {
    const base = starts.get(environment.name);
    return { commit: environment.at.tip, message: messages[index] ?? '', ...(base === undefined ? {} : { base }) };
  });
  const helps = new Map<number, Help>();
  const resolve = async (conflict: ChainConflict) => {
    const candidate = candidates[conflict.index];
    const help = candidate === undefined ? undefined : await helpWith(workplace, line, candidate, conflict);
    if (help !== undefined) helps.set(conflict.index, help);
    return help?.tree;
  };
  const steps = await workplace.merging.chain(before, sides, { author, linear: squash, resolve });
  const links: Link[] = [];
  const contained: EnvironmentName[] = [];
  const left: Left[] = [];
  const impossible: { name: EnvironmentName; error: CoppiceError }[] = [];
  for (const [index, step] of steps.entries()) {
    const candidate = candidates[index];
    if (candidate === undefined) continue;
    const { name } = candidate.environment;
    const help = helps.get(index) ?? { resolved: [], output: '', conflicts: undefined };
    if (step.kind === 'clean') {
      const on = links.at(-1)?.commit ?? before;
      const message = messages[index] ?? '';
      links.push({
        name,
        candidate,
        commit: step.commit,
        before: on,
        tree: step.tree,
        message,
        resolved: help.resolved,
      });
    } else if (step.kind === 'contained') contained.push(name);
    else if (step.kind === 'conflict') {
      left.push({ candidate, conflicts: help.conflicts ?? step.conflicts, output: help.output });
    } else impossible.push({ name, error: step.error });
  }
  return { links, after: links.at(-1)?.commit ?? before, contained, left, impossible };
}

interface Help {
  /** Undefined where conflicts are left, which are `conflicts` then. */
  readonly tree?: Oid;
  readonly conflicts: readonly Conflict[] | undefined;
  readonly resolved: readonly ResolvedInside[];
  readonly output: string;
}

/** At its place in the line, as `merge` does it alone. */
async function helpWith(
  workplace: Workplace,
  { into, help }: Line,
  { environment }: Candidate,
  { publish }: ChainConflict,
): Promise<Help | undefined> {
  if (help.useResolutions !== true && !isMaterialized(environment)) return undefined;
  const before = await publish();
  if (help.signal?.aborted) throw new CoppiceError('interrupted', 'interrupted', 'Nothing was landed.');
  const { tip: theirs } = environment.at;
  const start = await mergeStart(workplace, environment, into, before, theirs);
  const computed = await mergeFrom(workplace, start, before, theirs);
  const { outcome, resolved, output } = await helped(workplace, environment, computed, { start, before, theirs }, help);
  return outcome.kind === 'clean'
    ? { tree: outcome.tree, conflicts: undefined, resolved, output }
    : { conflicts: outcome.conflicts, resolved, output };
}

/** As `merge` composes them, from one walk over the commits of all. What is not committed yet counts as the commit it will be. */
async function messagesOf(
  { repository }: Workplace,
  { before, squash }: Line,
  candidates: readonly Candidate[],
): Promise<readonly string[]> {
  const [first, ...others] = candidates.map(({ environment }) => environment.at.tip);
  if (first === undefined) return [];
  const commits = await repository.log({ start: first, also: others, exclude: [before] });
  const known = new Map(commits.map((commit, index) => [commit.oid, { commit, index }]));
  const withTail = candidates.filter(({ environment: { at } }) => at.tip !== at.head);
  const heads = await repository.readCommits(withTail.map(({ environment }) => environment.at.head));
  const treeOfHead = new Map(withTail.map((candidate, index) => [candidate, heads[index]?.tree]));
  return candidates.map((candidate) => {
    const { environment } = candidate;
    const { tip, head, base } = environment.at;
    const own = new Map<number, CommitInfo>();
    for (let open: Oid[] = [head]; open.length > 0; ) {
      const found = known.get(open.pop() ?? base);
      if (found === undefined || found.commit.oid === base || own.has(found.index)) continue;
      own.set(found.index, found.commit);
      open = [...open, ...found.commit.parents];
    }
    const newestFirst = [...own].sort(([one], [other]) => one - other).map(([, commit]) => commit);
    const hasTail = tip !== head && known.get(tip)?.commit.tree !== treeOfHead.get(candidate);
    const tail = hasTail ? [{ message: tailMessage(candidate) }] : [];
    return mergeMessage(environment, {
      given: undefined,
      linear: squash,
      part: false,
      commits: [...tail, ...newestFirst],
    });
  });
}

/** Of the commit that an environment's tail becomes. */
export function tailMessage({ environment: { name, record } }: Candidate): string {
  return record.title ?? `Work of ${name}`;
}

export interface Conflicted {
  readonly name: EnvironmentName;
  /** The branch, or environments that land before it. Empty: with several of them together only. */
  readonly with: readonly string[];
  readonly conflicts: readonly Conflict[];
  readonly output: string;
}

/** Where the branch explains all of it nobody else is named: most environments have parts of the branch in them. */
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
  const pairs = left.flatMap(({ candidate }) =>
    others.map(({ commit }) => ({ ours: commit, theirs: candidate.environment.at.tip })),
  );
  const foreseen = await workplace.merging.foresee(pairs);
  return left.map(({ candidate, conflicts, output }, index) => {
    const [withBranch, ...withOthers] = foreseen.slice(index * others.length, (index + 1) * others.length).map(pathsOf);
    const wanted = conflicts.map(({ path }) => path).filter((path) => withBranch?.has(path) !== true);
    const met = others.filter((_, at) =>
      at === 0 ? withBranch?.size : wanted.some((path) => withOthers[at - 1]?.has(path)),
    );
    return { name: candidate.environment.name, with: met.map(({ name }) => name), conflicts, output };
  });
}

function pathsOf(outcome: Foreseen): ReadonlySet<BytePath> {
  return new Set(outcome.kind === 'conflict' ? outcome.conflicts.map(({ path }) => path) : []);
}
