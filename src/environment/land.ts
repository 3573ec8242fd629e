/**
 * Lands many environments at once: merges them one into the other on objects, has the project's check look at the result in
 * a throw-away container, sorts out who breaks it, and moves the branch once, to just what was checked.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ResolvedSpec } from '../domain/environment.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { type RefName, shortName } from '../domain/ref-name.ts';
import type { Spec } from '../domain/spec.ts';
import { type Checked, runCheck } from './check.ts';
import { commitTail } from './commit.ts';
import { readEnvironment } from './find.ts';
import { sortOut } from './guilty.ts';
import { type Candidate, choose, lookInto, type Refused } from './land-candidates.ts';
import { type Conflicted, chainOf, type Link, type Linked, whoConflicts } from './land-chain.ts';
import { refuseUnfit } from './land-unfit.ts';
import { authorOf } from './starting-point.ts';
import type { Report, Workplace } from './workplace.ts';

export interface LandRequest {
  readonly names: readonly string[];
  readonly into: RefName | undefined;
  /** `null`: none, whatever the repository's file says. */
  readonly check: string | null | undefined;
  /** What the check runs in; else what the environments run in, if that is the same for all. */
  readonly flags: Spec;
  readonly timeoutSeconds: number;
  readonly cache: boolean;
  readonly dryRun: boolean;
  readonly allowMarkers: boolean;
  readonly allowSecrets: boolean;
}

export interface Failed {
  readonly name: EnvironmentName;
  /** Environments it only fails together with; they land. */
  readonly with: readonly EnvironmentName[];
  readonly checked: Checked;
}

export interface Landed {
  readonly into: RefName;
  readonly before: Oid;
  readonly after: Oid;
  readonly worktree: string | null;
  readonly landed: readonly Link[];
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

/** One call of `land`, over its attempts. */
class Landing {
  readonly refused: Refused[] = [];
  readonly #workplace: Workplace;
  readonly #request: LandRequest;
  readonly #into: RefName;
  readonly #report: Report;
  readonly #signal: AbortSignal;
  readonly #results = new Map<Oid, Checked>();
  #run = 0;
  #known = 0;

  constructor(workplace: Workplace, request: LandRequest, into: RefName, report: Report, signal: AbortSignal) {
    this.#workplace = workplace;
    this.#request = request;
    this.#into = into;
    this.#report = report;
    this.#signal = signal;
  }

  async attempt(start: readonly Candidate[]): Promise<Attempted> {
    const { repository } = this.#workplace;
    const into = this.#into;
    const before = await repository.readRef(into);
    if (before === undefined) throw noBranch(into);
    const ground = await this.#groundOf(before, start);
    const { fit, refused, first } = await this.#fitting(before, start);
    const failed: Failed[] = [];
    let rest = fit;
    let chain = first;
    // Whoever conflicted with one that does not land gets another chance; what is known by then is not checked again.
    while (ground !== undefined && chain.links.length > 0) {
      const sorted = await this.#sortOut(before, chain, ground);
      failed.push(...sorted.failed);
      if (sorted.failed.length === 0) break;
      const out = new Set(failed.map(({ name }) => name));
      rest = rest.filter(({ environment }) => !out.has(environment.name));
      chain = await this.#chain(before, rest);
    }
    const conflicts = await whoConflicts(this.#workplace, into, before, chain);
    const answer = {
      into,
      before,
      after: before,
      worktree: null,
      landed: chain.links,
      failed,
      conflicts,
      refused: [...this.refused, ...refused],
      contained: chain.contained,
      check: ground?.command,
      checks: { run: this.#run, known: this.#known },
    };
    if (this.#request.dryRun || chain.links.length === 0) return answer;
    return this.#deliver(before, chain, start, answer);
  }

  /** Those with nothing in them that should not get on a branch, and their merge. */
  async #fitting(before: Oid, start: readonly Candidate[]) {
    const chain = await this.#chain(before, start);
    const { allowMarkers, allowSecrets } = this.#request;
    const refused = await refuseUnfit(this.#workplace, this.#into, before, chain, { allowMarkers, allowSecrets });
    if (refused.length === 0) return { fit: start, refused, first: chain };
    const out = new Set(refused.map(({ name }) => name));
    const fit = start.filter(({ environment }) => !out.has(environment.name));
    return { fit, refused, first: await this.#chain(before, fit) };
  }

  #chain(before: Oid, candidates: readonly Candidate[]): Promise<Linked> {
    return chainOf(this.#workplace, this.#into, before, candidates);
  }

  /** The command, and what it runs in. Both as the branch says, never as an agent may have changed them in its own. */
  async #groundOf(before: Oid, candidates: readonly Candidate[]) {
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

  async #sortOut(before: Oid, chain: Linked, ground: { command: string; spec: ResolvedSpec }) {
    const { target, names } = { target: shortName(this.#into), names: chain.links };
    const passes = async (links: readonly Link[]) => (await this.#check(before, links, ground)).passed;
    const { guilty, failsWithout } = await sortOut(names, passes);
    if (failsWithout) {
      const { output, exit } = await this.#check(before, [], ground);
      throw new CoppiceError('failed', 'check-fails-without', `${ground.command} fails on ${target} itself.`, {
        hint: `Nothing was landed: nobody can tell who breaks what is broken already. Mend ${target}, or land without the check: --skip-check.`,
        data: { into: target, check: ground.command, exit, output },
      });
    }
    const failed: Failed[] = [];
    for (const { item, with: partners } of guilty) {
      const checked = await this.#check(before, [...partners, item], ground);
      failed.push({ name: item.name, with: partners.map(({ name }) => name), checked });
    }
    return { failed };
  }

  async #check(before: Oid, links: readonly Link[], ground: { command: string; spec: ResolvedSpec }): Promise<Checked> {
    const candidates = links.map(({ candidate }) => candidate);
    const { after } = links.length === 0 ? { after: before } : await this.#chain(before, candidates);
    const { tree } = await this.#workplace.repository.readCommit(after);
    const known = this.#results.get(tree);
    if (known !== undefined) return known;
    const what = links.length === 0 ? shortName(this.#into) : said(links.map(({ name }) => name));
    const { cache, timeoutSeconds } = this.#request;
    const request = { commit: after, tree, base: before, ...ground, timeoutSeconds, cache };
    this.#report(`checking ${what} …`);
    const checked = await runCheck(this.#workplace, request, this.#report, this.#signal);
    if (checked.cached) this.#known += 1;
    else this.#run += 1;
    this.#report(`  ${checked.passed ? 'passed' : `failed (exit ${checked.exit})`}, ${timeOf(checked)}`);
    this.#results.set(tree, checked);
    return checked;
  }

  async #deliver(before: Oid, chain: Linked, all: readonly Candidate[], answer: Landed): Promise<Attempted> {
    const committed = await this.#commitTails(chain);
    if (committed.refused.length > 0) {
      this.refused.push(...committed.refused);
      const out = new Set(committed.refused.map(({ name }) => name));
      return { again: all.filter(({ environment }) => !out.has(environment.name)).map(committed.now) };
    }
    const last = committed.moved
      ? await this.#chain(
          before,
          chain.links.map(({ candidate }) => committed.now(candidate)),
        )
      : chain;
    // A hook changed files, or somebody went on working: what lands must be what was checked.
    if (!(await this.#sameFiles(last, chain))) return { again: all.map(committed.now) };
    if (this.#signal.aborted) throw new CoppiceError('interrupted', 'interrupted', 'Nothing was landed.');
    const after = await this.#signed(before, last);
    const reason = `coppice: land ${said(last.links.map(({ name }) => name))}`;
    try {
      const { worktree } = await this.#workplace.merging.advance(this.#into, before, after.commit, reason);
      return { ...answer, after: after.commit, worktree, landed: after.links };
    } catch (error) {
      if (!hasCode(error, 'ref-moved')) throw error;
      this.#report(`${shortName(this.#into)} has moved on: once more`);
      return { again: all.map(committed.now) };
    }
  }

  async #sameFiles(one: Linked, other: Linked): Promise<boolean> {
    if (one === other) return true;
    if (one.links.length !== other.links.length) return false;
    const [left, right] = await this.#workplace.repository.readCommits([one.after, other.after]);
    return left?.tree === right?.tree;
  }

  /** What lands carries no checkpoint, as with `merge`. */
  async #commitTails(chain: Linked) {
    const workplace = this.#workplace;
    const newer = new Map<EnvironmentName, Candidate>();
    const refused: Refused[] = [];
    for (const { candidate } of chain.links) {
      const { environment } = candidate;
      if (environment.at.tip === environment.at.head) continue;
      try {
        const message = environment.record.title ?? `Work of ${environment.name}`;
        const author = await authorOf(workplace);
        const markers = this.#request.allowMarkers ? ('allow' as const) : { newTo: this.#into };
        const done = await commitTail(workplace, environment, { message, author, noVerify: false, markers });
        newer.set(environment.name, { ...candidate, environment: done.environment, held: done.held });
      } catch (error) {
        if (!(error instanceof CoppiceError)) throw error;
        const now = hasCode(error, 'nothing-to-commit')
          ? await readEnvironment(workplace, environment.name)
          : undefined;
        if (now === undefined) refused.push({ name: environment.name, error });
        else newer.set(environment.name, { ...candidate, environment: now });
      }
    }
    const now = (candidate: Candidate) => newer.get(candidate.environment.name) ?? candidate;
    return { now, refused, moved: newer.size > 0 };
  }

  /** The same commits once more with the user's signature, where they want one. */
  async #signed(before: Oid, chain: Linked): Promise<{ readonly commit: Oid; readonly links: readonly Link[] }> {
    const { repository } = this.#workplace;
    if ((await repository.config('commit.gpgSign')) !== 'true') return { commit: chain.after, links: chain.links };
    let commit = before;
    const links: Link[] = [];
    for (const link of chain.links) {
      const { tree, parents, author, committer, message } = await repository.readCommit(link.commit);
      commit = await repository.writeCommit({
        tree,
        parents: [commit, ...parents.slice(1)],
        author,
        committer,
        message,
        sign: true,
      });
      links.push({ ...link, commit });
    }
    return { commit, links };
  }
}

function timeOf({ cached, seconds }: Checked): string {
  return cached ? 'as known' : `${seconds} s`;
}

/** `a, b and 3 more`. */
function said(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}

function noBranch(into: RefName): CoppiceError {
  return new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(into)} to land in.`, {
    hint: `\`git branch\` lists them; \`git branch ${shortName(into)}\` makes it.`,
  });
}
