/** Which environments are to land, and what of each: looked into and saved first; what stands against one is its own affair. */
import type { Held } from '../../domain/change.ts';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { coppiceRefs } from '../../domain/ref-layout.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import { refuseIfBusy } from '../busy.ts';
import { inProgress } from '../commit.ts';
import type { Environment } from '../environment.ts';
import { findEnvironment, listEnvironments } from '../find.ts';
import { isMaterialized } from '../materialize.ts';
import { mergeStart } from '../merge/start.ts';
import { reconcileFully } from '../reconcile.ts';
import type { Workplace } from '../workplace.ts';

export interface Candidate {
  readonly environment: Environment;
  readonly held: readonly Held[];
}

export interface Refused {
  readonly name: EnvironmentName;
  readonly error: CoppiceError;
}

export interface Chosen {
  readonly environments: readonly Environment[];
  readonly into: RefName;
}

/** Those named, in that order; without names all that are meant to go back to the branch, the oldest first. */
export async function choose(
  workplace: Workplace,
  names: readonly string[],
  into: RefName | undefined,
): Promise<Chosen> {
  const all = (await listEnvironments(workplace)).filter(({ record }) => record.stage !== 'creating');
  const wanted: Environment[] = [];
  for (const name of new Set(names)) {
    wanted.push(all.find((each) => each.name === name) ?? (await findEnvironment(workplace, name)));
  }
  const target = into ?? (await commonTarget(workplace, names.length > 0 ? wanted : all));
  if (names.length > 0) return { environments: wanted, into: target };
  const environments = all
    .filter((each) => each.target === target && each.record.conflict === undefined)
    .toSorted((one, other) => (one.record.createdAt < other.record.createdAt ? -1 : 1));
  return { environments, into: target };
}

async function commonTarget(workplace: Workplace, environments: readonly Environment[]): Promise<RefName> {
  const targets = [...new Set(environments.flatMap(({ target }) => target ?? []))];
  const [only] = targets;
  if (only !== undefined && targets.length === 1) return only;
  const head = await workplace.repository.head();
  if (head.kind !== 'detached' && targets.includes(head.ref)) return head.ref;
  if (only === undefined) {
    throw new CoppiceError('usage', 'no-target', 'There is no environment with a target branch to land in.', {
      hint: 'Name the branch with --into.',
    });
  }
  throw new CoppiceError('usage', 'many-targets', 'The environments have different target branches.', {
    hint: `Name one with --into: ${targets.map(shortName).join(', ')}.`,
    data: { targets: targets.map(shortName) },
  });
}

/** With everything saved and brought out. `named`: somebody asked for just these, so a running command is no reason. */
export async function lookInto(
  workplace: Workplace,
  environments: readonly Environment[],
  named: boolean,
): Promise<{ readonly candidates: readonly Candidate[]; readonly refused: readonly Refused[] }> {
  const candidates: Candidate[] = [];
  const refused: Refused[] = [];
  for (const environment of environments) {
    try {
      candidates.push(await lookIntoOne(workplace, environment, named));
    } catch (error) {
      if (!(error instanceof CoppiceError)) throw error;
      refused.push({ name: environment.name, error });
    }
  }
  return { candidates, refused };
}

async function lookIntoOne(workplace: Workplace, environment: Environment, named: boolean): Promise<Candidate> {
  if (!isMaterialized(environment)) return { environment, held: [] };
  if (!named) await refuseIfBusy(workplace, environment, 'land it by its name');
  const seen = await reconcileFully(workplace, environment);
  if (seen.operation !== undefined) throw inProgress(seen.environment, seen.operation);
  return { environment: seen.environment, held: seen.held };
}

/** Where the merge of each starts, if not at the merge base: only where something was delivered by a squash or a rebase. */
export async function startsOf(
  workplace: Workplace,
  candidates: readonly Candidate[],
  into: RefName,
  before: Oid,
): Promise<ReadonlyMap<EnvironmentName, Oid>> {
  const ending = `/delivered/${shortName(into)}`;
  const refs = await workplace.repository.listRefs(coppiceRefs);
  const delivered = new Set(refs.filter(({ name }) => name.endsWith(ending)).map(({ name }) => name));
  const starts = new Map<EnvironmentName, Oid>();
  for (const { environment } of candidates) {
    if (!delivered.has(environment.refs.delivered(into))) continue;
    const start = await mergeStart(workplace, environment, into, before, environment.at.tip);
    if (start !== undefined && start.tree !== start.commit) starts.set(environment.name, start.tree);
  }
  return starts;
}
