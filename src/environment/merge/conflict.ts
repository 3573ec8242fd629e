/** The conflicts of a merge: what else may resolve them, and how the rest is said. */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import type { Conflict, MergeOptions, MergeOutcome } from '../../git/merging.ts';
import { conflictView } from '../conflicts/view.ts';
import type { Environment } from '../environment.ts';
import { withResolutions } from '../resolution/use.ts';
import type { Workplace } from '../workplace.ts';
import { type InsideOptions, type MergedInside, mergeInside, type ResolvedInside, type Sides } from './inside.ts';
import type { MergeRequest } from './request.ts';
import { type MergeStart, mergeFrom } from './start.ts';

export interface Meeting {
  readonly start: MergeStart | undefined;
  readonly before: Oid;
  readonly theirs: Oid;
}

/** Throws `merge-conflict` for what nothing else resolves. */
export async function resolvedOrRefused(
  workplace: Workplace,
  environment: Environment,
  { into, useResolutions, memory }: MergeRequest,
  computed: MergeOutcome,
  meeting: Meeting,
): Promise<{
  readonly outcome: Extract<MergeOutcome, { kind: 'clean' }>;
  readonly resolved: readonly ResolvedInside[];
}> {
  const options = { useResolutions, memory };
  const { outcome, resolved, output } = await helped(workplace, environment, computed, meeting, options);
  if (outcome.kind === 'conflict') throw conflict(environment, into, outcome.conflicts, output);
  return { outcome, resolved };
}

export interface HelpOptions extends InsideOptions {
  /** Whether what is remembered counts. */
  readonly useResolutions?: boolean | undefined;
}

/** Where merge-tree leaves conflicts the container's own means are asked, then, if wished, what is remembered. */
export async function helped(
  workplace: Workplace,
  environment: Environment,
  outcome: MergeOutcome,
  { start, before, theirs }: Meeting,
  { useResolutions = false, ...options }: HelpOptions,
): Promise<MergedInside> {
  const sides = sidesOf(start, before, theirs);
  if (outcome.kind === 'clean' || sides === undefined) return { outcome, resolved: [], output: '' };
  const inside = await mergeInside(workplace, environment, outcome, sides, options);
  if (inside.outcome.kind === 'clean' || !useResolutions) return inside;
  const again = (style: MergeOptions) => mergeFrom(workplace, start, before, theirs, style);
  const used = await withResolutions(workplace, inside.outcome, again);
  const remembered = used.paths.map((path) => ({ path, by: 'remembered resolution' as const, command: null }));
  return { ...inside, outcome: used.outcome, resolved: [...inside.resolved, ...remembered] };
}

function sidesOf(start: MergeStart | undefined, before: Oid, theirs: Oid): Sides | undefined {
  return start === undefined ? undefined : { base: start.tree, ours: before, theirs };
}

export function conflict(
  environment: Environment,
  into: RefName,
  conflicts: readonly Conflict[],
  output = '',
): CoppiceError {
  const files = conflictView(conflicts);
  const many = files.length === 1 ? '1 file conflicts' : `${files.length} files conflict`;
  return new CoppiceError('conflict', 'merge-conflict', `${many} between ${environment.name} and ${shortName(into)}.`, {
    hint: `Nothing was changed. \`coppice resolve ${environment.name}${into === environment.target ? '' : ` --into ${shortName(into)}`}\` makes an environment to resolve it in; \`coppice sync ${environment.name}\` brings ${shortName(into)} into this one, to resolve it there with plain git.`,
    data: { environment: environment.name, into: shortName(into), files, ...(output === '' ? {} : { output }) },
  });
}
