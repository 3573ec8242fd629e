/** `show`: one environment in full. */
import * as z from 'zod/mini';
import type { Oid } from '../domain/oid.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment } from '../environment/find.ts';
import { findLeaks } from '../environment/leaks.ts';
import { mergedState, startOfWork } from '../environment/merged/merged.ts';
import { reconcile } from '../environment/reconcile.ts';
import { isResolution } from '../environment/resolution/find.ts';
import { findRuns } from '../environment/runs-elsewhere.ts';
import { leakView, renderLeaks } from './leak-view.ts';
import { containersByName, paintState } from './list.ts';
import { describeNetwork, networkView } from './network-view.ts';
import { nameArgument, operation, type Style } from './operation.ts';
import { renderResolution, resolutionView } from './resolution-view.ts';
import {
  accessView,
  age,
  columns,
  commitView,
  environmentView,
  fileView,
  heldView,
  mergedView,
  renderAccess,
  renderHeld,
  renderRuns,
  runsView,
  safe,
  sayMerged,
  short,
  stateOf,
} from './views.ts';

export const show = operation({
  name: 'show',
  summary: 'Show one environment: its spec, commits and changed files',
  effect: 'read',
  tool: {
    title: 'Show an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({ name: nameArgument() }),
  async run(context, { name }) {
    const workplace = await context.workplace();
    const {
      environment,
      held,
      operation: underWay,
    } = await reconcile(workplace, await findEnvironment(workplace, name));
    const { repository } = workplace;
    const { at } = environment;
    const start = await startOfWork(workplace, environment);
    const [containers, commits, tail, files, merged, leaks, access, runs] = await Promise.all([
      containersByName(workplace, [environment]),
      repository.log({ start: at.head, exclude: [start] }),
      repository.log({ start: at.tip, exclude: [at.head] }),
      repository.diffStat(start, at.tip),
      mergedState(workplace, environment),
      findLeaks(workplace, environment),
      accessView(workplace, environment),
      findRuns(workplace, mergedBranch(environment) ?? start, at.tip),
    ]);
    return {
      ...environmentView(environment),
      state: stateOf(environment, containers.of(environment)),
      ...mergedView(merged),
      operation: underWay ?? null,
      spec: environment.record.spec,
      access,
      author: environment.record.author,
      commits: commits.map(commitView),
      checkpoints: tail.length,
      files: fileView(files),
      runs: runsView(runs),
      held: heldView(held),
      leaks: leakView(leaks),
      conflict: isResolution(environment) ? await resolutionView(workplace, environment) : null,
    };
  },
  render(it, style) {
    const facts = [
      ['state', paintState(it.state, style) + (it.operation === null ? '' : `, ${it.operation} under way inside`)],
      ['branch', `${it.branch}${it.target === null ? '' : ` → ${it.target} (${sayMerged(it, it.target)})`}`],
      ['base', short(it.base)],
      ['worktree', it.worktree],
      ['runs in', it.image === null ? it.runtime : `${it.runtime}, ${safe(it.image)}`],
      ['network', describeNetwork(networkView(it.spec.network))],
      ['created', `${age(new Date(it.createdAt), style.now)} ago`],
    ];
    const parts = [
      `${style.bold(it.name)}${it.title === null ? '' : `  ${safe(it.title)}`}`,
      columns(facts.map(([key = '', value = '']) => [`  ${style.dim(key)}`, value])),
      renderAccess(it.access, it.name, style),
      ...it.commits.map(({ oid, subject }) => `  ${style.yellow(short(oid))} ${safe(subject)}`),
      it.checkpoints === 0 ? '' : `  ${style.dim(`${count(it.checkpoints, 'checkpoint')} since`)}`,
      it.conflict === null ? renderFiles(it.files, style) : renderResolution(it.conflict, style),
      renderRuns(it.runs, style),
      renderHeld(it.held, style),
      renderLeaks(it.leaks, style),
    ];
    return parts.filter((part) => part !== '').join('\n');
  },
});

export function count(n: number, thing: string, things = `${thing}s`): string {
  return `${n} ${n === 1 ? thing : things}`;
}

/** What a resolution merges from the user's own branch is nothing that the environment brings. */
function mergedBranch(environment: Environment): Oid | undefined {
  if (!isResolution(environment)) return undefined;
  const { with: other, theirs } = environment.record.conflict;
  return other.kind === 'branch' ? theirs : undefined;
}

/** `M src/a.ts +3 −1`, at most thirty. */
export function renderFiles(
  files: readonly { path: string; kind: string; added: number | null; removed: number | null }[],
  style: Style,
): string {
  const lines = files.slice(0, 30).map(({ path, kind, added, removed }) => {
    const size =
      added === null || removed === null ? 'binary' : `${style.green(`+${added}`)} ${style.red(`−${removed}`)}`;
    return [`  ${kind.slice(0, 1).toUpperCase()} ${safe(path)}`, size];
  });
  const more = files.length > 30 ? `\n  … and ${files.length - 30} more` : '';
  return columns(lines) + more;
}
