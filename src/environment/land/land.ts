/**
 * Lands many environments at once: merges them one into the other on objects, has the project's hooks and its check look at
 * the result in containers, sorts out who breaks it, and moves the branch once, to just what was checked.
 */
import { isDeepStrictEqual } from 'node:util';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import type { RunsElsewhere } from '../../domain/runs-elsewhere.ts';
import type { Spec } from '../../domain/spec.ts';
import type { HooksRun } from '../merge/hooks.ts';
import type { Report, Workplace } from '../workplace.ts';
import { type Candidate, choose, lookInto, type Refused } from './candidates.ts';
import { type Conflicted, chainOf, type Line, type Link, type Linked, whoConflicts } from './chain.ts';
import { type Checks, type Failed, type Ground, openChecks, said } from './checks.ts';
import { commitTails, noteSquashed, written } from './deliver.ts';
import { type Hooked, type LineHooks, lineHooks } from './hooks.ts';
import { type Looked, lookForUnfit } from './unfit.ts';

export interface LandRequest {
  readonly names: readonly string[];
  readonly into: RefName | undefined;
  /** One plain commit of each instead of a merge. */
  readonly squash: boolean;
  /** `null`: none, whatever the repository's file says. */
  readonly check: string | null | undefined;
  /** What the check runs in; else what the environments run in, if that is the same for all. */
  readonly flags: Spec;
  readonly timeoutSeconds: number;
  readonly cache: boolean;
  /** Containers that checks and hooks run in at one time. */
  readonly jobs: number;
  readonly dryRun: boolean;
  /** Leaves out the repository's hooks. */
  readonly noVerify: boolean;
  /** Conflicts that were resolved before are resolved so again. */
  readonly useResolutions: boolean;
  readonly allowMarkers: boolean;
  readonly allowSecrets: boolean;
  readonly refuseRuns: boolean;
  /** Told, before anything moves, what of each will run on the host or in CI. */
  readonly onRuns: (name: EnvironmentName, runs: readonly RunsElsewhere[]) => void;
}

export interface LandedOne extends Link {
  readonly hooks: HooksRun['ran'];
  readonly hookOutput: string;
  /** What of it runs on the host or in CI. */
  readonly runs: readonly RunsElsewhere[];
}

export interface Landed {
  readonly into: RefName;
  readonly before: Oid;
  readonly after: Oid;
  readonly worktree: string | null;
  readonly landed: readonly LandedOne[];
  readonly failed: readonly Failed[];
  readonly conflicts: readonly Conflicted[];
  readonly refused: readonly Refused[];
  /** The branch has all of them already. */
  readonly contained: readonly EnvironmentName[];
  readonly check: string | undefined;
  /** How often the check ran, and how often its result was known. */
  readonly checks: { readonly run: number; readonly known: number };
}

/** How often it starts over because the branch or an environment has moved on meanwhile. */
const mostRounds = 10;

export async function land(
  workplace: Workplace,
  request: LandRequest,
  report: Report,
  signal: AbortSignal,
): Promise<Landed> {
  const { environments, into } = await choose(workplace, request.names, request.into);
  const looked = await lookInto(workplace, environments, request.names.length > 0);
  const landing = new Landing(workplace, request, into, report, signal);
  landing.refused.push(...looked.refused);
  let { candidates } = looked;
  for (let round = 1; ; round += 1) {
    const done = await landing.attempt(candidates);
    if (!('again' in done)) return done;
    if (round >= mostRounds) throw restless(into);
    candidates = done.again;
  }
}

function restless(into: RefName): CoppiceError {
  const sentence = `${shortName(into)} or the environments keep moving on.`;
  return new CoppiceError('unavailable', 'keeps-moving', sentence, { hint: 'Nothing was landed. Try again.' });
}

type Attempted = Landed | { readonly again: readonly Candidate[] };

/** A line that everybody on it may land with, and what was found out on the way. */
interface Settled {
  readonly chain: Linked;
  readonly failed: readonly Failed[];
  readonly refused: readonly Refused[];
  readonly looked: Looked;
  readonly hooked: Hooked;
}

const noHooks: Hooked = { runs: new Map(), refused: undefined };

/** One call of `land`, over its attempts. */
class Landing {
  readonly refused: Refused[] = [];
  readonly #workplace: Workplace;
  readonly #request: LandRequest;
  readonly #into: RefName;
  readonly #report: Report;
  readonly #signal: AbortSignal;
  readonly #checks: Checks;
  readonly #hooks: LineHooks;
  readonly #help: Line['help'];
  readonly #told = new Set<EnvironmentName>();

  constructor(workplace: Workplace, request: LandRequest, into: RefName, report: Report, signal: AbortSignal) {
    this.#workplace = workplace;
    this.#request = request;
    this.#into = into;
    this.#report = report;
    this.#signal = signal;
    const { jobs, squash, timeoutSeconds, cache, useResolutions } = request;
    this.#checks = openChecks(workplace, { into, jobs, timeoutSeconds, cache, report, signal });
    this.#hooks = lineHooks(workplace, { squash, jobs, signal });
    this.#help = { useResolutions, memory: new Map(), signal };
  }

  async attempt(start: readonly Candidate[]): Promise<Attempted> {
    const into = this.#into;
    const before = await this.#workplace.repository.readRef(into);
    if (before === undefined) throw noBranch(into);
    const ground = await this.#groundOf(before, start);
    const settled = await this.#settle(before, start, ground);
    const { chain, failed, refused } = settled;
    const answer: Landed = {
      into,
      before,
      after: before,
      worktree: null,
      landed: landedOf(chain.links, settled),
      failed,
      conflicts: await whoConflicts(this.#workplace, into, before, chain),
      refused: [...this.refused, ...refused],
      contained: chain.contained,
      check: ground?.command,
      checks: this.#checks.counts(),
    };
    this.#tellRuns(answer.landed);
    if (this.#request.dryRun || chain.links.length === 0) return answer;
    return this.#deliver(before, settled, start, answer);
  }

  /** Puts out whoever may not land, one reason after the other, until nobody has to go any more. */
  async #settle(before: Oid, start: readonly Candidate[], ground: Ground | undefined): Promise<Settled> {
    const refused: Refused[] = [];
    const failed: Failed[] = [];
    for (let rest = start; ; ) {
      const chain = await this.#chain(before, rest);
      // Whoever conflicted with one that does not land gets another chance; what is known by then is not checked again.
      const without = (gone: readonly { readonly name: EnvironmentName }[]) => {
        const out = new Set(gone.map(({ name }) => name));
        return rest.filter(({ environment }) => !out.has(environment.name));
      };
      const looked = await lookForUnfit(this.#workplace, this.#line(before), chain, this.#request);
      const unfit = [...chain.impossible, ...looked.refused];
      const hooked = unfit.length > 0 ? noHooks : await this.#runHooks(chain, before);
      const stay = hooked.refused === undefined ? unfit : [hooked.refused];
      if (stay.length > 0) {
        refused.push(...stay);
        rest = without(stay);
        continue;
      }
      const found = await this.#whoFails(before, chain, ground);
      if (found.length === 0) return { chain, failed, refused, looked, hooked };
      failed.push(...found);
      rest = without(found);
    }
  }

  #line(before: Oid): Line {
    return { into: this.#into, before, squash: this.#request.squash, help: this.#help };
  }

  #chain(before: Oid, candidates: readonly Candidate[]): Promise<Linked> {
    return chainOf(this.#workplace, this.#line(before), candidates);
  }

  async #runHooks(chain: Linked, before: Oid): Promise<Hooked> {
    const { noVerify, dryRun } = this.#request;
    return noVerify || dryRun ? noHooks : this.#hooks.run(chain, before);
  }

  async #whoFails(before: Oid, chain: Linked, ground: Ground | undefined): Promise<readonly Failed[]> {
    if (ground === undefined || chain.links.length === 0) return [];
    const linkUp = (links: readonly Link[]) =>
      this.#chain(
        before,
        links.map(({ candidate }) => candidate),
      );
    return this.#checks.whoFails({ before, chain, ground, linkUp });
  }

  /** The command, and what it runs in. Both as the branch says, never as an agent may have changed them in its own. */
  async #groundOf(before: Oid, candidates: readonly Candidate[]): Promise<Ground | undefined> {
    const { check, flags, dryRun } = this.#request;
    const workplace = this.#workplace;
    if (check === null || dryRun) return undefined;
    const file = await workplace.repository.readBlobAt(before, '.coppice/environment.json');
    const command = check ?? workplace.checkOf(file);
    if (command === undefined) return undefined;
    const [first, ...others] = candidates.map(({ environment }) => environment.record.spec);
    const same = first !== undefined && others.every((spec) => isDeepStrictEqual(spec, first));
    const asked = Object.keys(flags).length > 0;
    const spec = same && !asked ? first : (await workplace.planSpec(flags, file, this.#report)).spec;
    return { command, spec };
  }

  #tellRuns(landed: readonly LandedOne[]): void {
    for (const { name, runs } of landed) {
      if (runs.length > 0 && !this.#told.has(name)) this.#request.onRuns(name, runs);
      this.#told.add(name);
    }
  }

  async #deliver(
    before: Oid,
    { chain, looked }: Settled,
    all: readonly Candidate[],
    answer: Landed,
  ): Promise<Attempted> {
    const { allowMarkers, noVerify, squash } = this.#request;
    const into = this.#into;
    const committed = await commitTails(this.#workplace, chain, { into, allowMarkers, noVerify });
    if (committed.refused.length > 0) return this.#without(committed.refused, all.map(committed.now));
    const last = committed.moved
      ? await this.#chain(
          before,
          chain.links.map(({ candidate }) => committed.now(candidate)),
        )
      : chain;
    // A hook changed files, or somebody went on working: what lands must be what was checked.
    if (!(await this.#sameFiles(last, chain))) return { again: all.map(committed.now) };
    const hooked = await this.#runHooks(last, before);
    if (hooked.refused !== undefined) return this.#without([hooked.refused], all.map(committed.now));
    if (this.#signal.aborted) throw new CoppiceError('interrupted', 'interrupted', 'Nothing was landed.');
    const after = await written(this.#workplace, before, last, hooked);
    const reason = `coppice: land ${said(last.links.map(({ name }) => name))}`;
    try {
      const { worktree } = await this.#workplace.merging.advance(into, before, after.commit, reason);
      if (squash) await noteSquashed(this.#workplace, into, before, after.links);
      return { ...answer, after: after.commit, worktree, landed: landedOf(after.links, { looked, hooked }) };
    } catch (error) {
      if (!hasCode(error, 'ref-moved')) throw error;
      this.#report(`${shortName(into)} has moved on: once more`);
      return { again: all.map(committed.now) };
    }
  }

  #without(refused: readonly Refused[], all: readonly Candidate[]): Attempted {
    this.refused.push(...refused);
    const out = new Set(refused.map(({ name }) => name));
    return { again: all.filter(({ environment }) => !out.has(environment.name)) };
  }

  async #sameFiles(one: Linked, other: Linked): Promise<boolean> {
    if (one === other) return true;
    if (one.links.length !== other.links.length) return false;
    const [left, right] = await this.#workplace.repository.readCommits([one.after, other.after]);
    return left?.tree === right?.tree;
  }
}

function landedOf(
  links: readonly Link[],
  { looked, hooked }: Pick<Settled, 'looked' | 'hooked'>,
): readonly LandedOne[] {
  return links.map((link) => {
    const run = hooked.runs.get(link.name);
    const runs = looked.runs.get(link.name) ?? [];
    return { ...link, hooks: run?.ran ?? 'not-run', hookOutput: run?.output ?? '', runs };
  });
}

function noBranch(into: RefName): CoppiceError {
  return new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(into)} to land in.`, {
    hint: `\`git branch\` lists them; \`git branch ${shortName(into)}\` makes it.`,
  });
}
