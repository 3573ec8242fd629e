/** Says, before a merge or an apply, what of it will run on the host or in CI; or refuses, where somebody wants that. */
import * as z from 'zod/mini';
import type { RunsElsewhere } from '../domain/runs-elsewhere.ts';
import { refuseRuns } from '../environment/runs-elsewhere.ts';
import { type Context, flag } from './operation.ts';
import { plainStyle, renderRuns, runsView } from './views.ts';

export function refuseRunsFlag() {
  return flag(z._default(z.boolean(), false), {
    help: 'Refuse what runs on the host or in CI afterwards: hooks, workflows, scripts, agents’ and editors’ settings.',
  });
}

export function tellRuns(context: Context, name: string, runs: readonly RunsElsewhere[], refuse: boolean): void {
  if (refuse) refuseRuns(name, runs);
  if (runs.length > 0) context.report(renderRuns(runsView(runs), plainStyle));
}
