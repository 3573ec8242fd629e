/** `list`: all environments of the repository, at once. Touches no worktree and no network. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { knownConflicts } from '../environment/conflicts/known.ts';
import { repositoryLabels } from '../environment/container.ts';
import type { Environment } from '../environment/environment.ts';
import { listWithTips } from '../environment/find.ts';
import { sweepInterrupted } from '../environment/interrupted.ts';
import { mergedStates } from '../environment/merged/merged.ts';
import type { Workplace } from '../environment/workplace.ts';
import type { Container } from '../runtime/runtime.ts';
import { labels } from '../runtime/runtime.ts';
import { operation, type Style } from './operation.ts';
import {
  age,
  columns,
  type EnvironmentState,
  environmentView,
  type MergedView,
  mergedView,
  safe,
  stateOf,
} from './views.ts';

export const list = operation({
  name: 'list',
  summary: 'List the environments of this repository',
  effect: 'read',
  tool: {
    title: 'List environments',
    idempotent: true,
    openWorld: false,
    bindable: false,
  },
  version: 1,
  input: z.strictObject({}),
  async run(context) {
    const workplace = await context.workplace();
    const broken: { name: string; problem: string }[] = [];
    const { environments: found, tips } = await listWithTips(workplace, (name, error) => {
      if (!(error instanceof CoppiceError)) throw error;
      broken.push({ name, problem: error.message });
    });
    const environments = await sweepInterrupted(workplace, found);
    const [containers, verdicts] = await Promise.all([
      containersByName(workplace, environments),
      mergedStates(workplace, environments),
    ]);
    const isSettled = (each: Environment) => (verdicts.get(each)?.state ?? 'unmerged') !== 'unmerged';
    const conflictsOf = await knownConflicts(workplace, environments, isSettled);
    return {
      environments: environments.map((environment) => ({
        ...environmentView(environment),
        conflicts: conflictsOf(environment),
        state: stateOf(environment, containers.of(environment)),
        uncommitted: environment.at.tip !== environment.at.head,
        changed: environment.at.tip !== environment.at.base,
        ...mergedView(verdicts.get(environment)),
        lastChange: {
          subject: tips.get(environment.at.tip)?.message.split('\n')[0] ?? '',
          date: new Date((tips.get(environment.at.tip)?.committer.seconds ?? 0) * 1000).toISOString(),
        },
      })),
      broken,
      unknown: containers.problems,
    };
  },
  render({ environments, broken, unknown }, style) {
    if (environments.length === 0 && broken.length === 0) {
      return style.dim('No environments yet. `coppice create` makes one.');
    }
    const header = ['NAME', 'STATE', 'TARGET', 'LAST CHANGE', ''].map((title) => style.dim(title));
    const rows = environments.map((each) => [
      style.bold(each.name),
      paintState(each.state, style),
      (each.target ?? '-') + mergedMark(each, style),
      each.changed ? `${age(new Date(each.lastChange.date), style.now)} ago` : '-',
      describe(each) + conflictMark(each.conflicts.with, style),
    ]);
    const problems = broken.map(({ name, problem }) => `${style.red(name)}  ${safe(problem)}  (see coppice doctor)`);
    return [columns([header, ...rows]), ...problems, ...renderUnknown(unknown, style)].join('\n');
  },
});

function mergedMark({ merged, reverted, revertedFiles, pullRequest }: MergedView, style: Style): string {
  if (reverted) return style.yellow(' (reverted)');
  if (merged !== 'merged') return '';
  const as = pullRequest === null ? '' : ` as ${safe(pullRequest.reference)}`;
  if (revertedFiles === null) return style.dim(` (merged${as})`);
  return style.yellow(` (merged${as}, ${revertedFiles.count} of ${revertedFiles.of} files reverted)`);
}

function describe(each: {
  changed: boolean;
  uncommitted: boolean;
  title: string | null;
  lastChange: { subject: string };
}): string {
  const what = each.changed ? safe(each.lastChange.subject, 60) : '';
  const mark = each.uncommitted ? ' *' : '';
  return [each.title === null ? '' : safe(each.title, 40), what + mark].filter((part) => part !== '').join(': ');
}

export function paintState(state: EnvironmentState, style: Style): string {
  if (state === 'running') return style.green(state);
  return state === 'stopped' || state === 'creating' ? style.dim(state) : style.red(state);
}

/** One question per runtime in use. An engine that does not answer makes states unknown, not the list impossible. */
export async function containersByName(workplace: Workplace, environments: readonly Environment[]) {
  const kinds = [...new Set(environments.map(({ record }) => record.spec.runtime))];
  const known = new Map<string, Map<string, Container> | Unknown>();
  await Promise.all(kinds.map(async (kind) => known.set(kind, await containersOf(workplace, kind))));
  const problems = [...known.values()].flatMap((each) => (each instanceof Map ? [] : [each]));
  const of = ({ name, record }: Environment): Container | undefined | 'unknown' => {
    const ofKind = known.get(record.spec.runtime);
    return ofKind instanceof Map ? ofKind.get(name) : 'unknown';
  };
  /** `problems`: why states are unknown. */
  return { of, problems };
}

/** Why the state of what runs on one runtime is not known. */
export interface Unknown {
  readonly what: string;
  readonly hint: string | null;
}

export function renderUnknown(problems: readonly Unknown[], style: Style): readonly string[] {
  return problems.flatMap(({ what, hint }) => [
    style.yellow(`unknown: ${safe(what, 160)}`),
    ...(hint === null ? [] : [style.dim(`  ${safe(hint, 300)}`)]),
  ]);
}

async function containersOf(
  workplace: Workplace,
  kind: Environment['record']['spec']['runtime'],
): Promise<Map<string, Container> | Unknown> {
  try {
    const runtime = await workplace.runtime(kind);
    const containers = await runtime.list(repositoryLabels(workplace));
    return new Map(containers.map((container) => [container.labels[labels.environment] ?? '', container]));
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.kind !== 'unavailable') throw error;
    return { what: error.message, hint: error.hint ?? null };
  }
}

/** What is remembered; `coppice conflicts` looks. */
export function conflictMark(others: readonly string[], style: Style): string {
  if (others.length === 0) return '';
  const shown = others.slice(0, 3).map((name) => safe(name));
  const more = others.length > shown.length ? ` and ${others.length - shown.length} more` : '';
  return style.red(`  conflicts with ${shown.join(', ')}${more}`);
}
