/** `apply`: an environment's changes into the caller's checkout, uncommitted; again and again as it moves on. */
import * as z from 'zod/mini';
import { textOf } from '../domain/byte-path.ts';
import { findEnvironment } from '../environment/find.ts';
import { refuseLeakyChanges } from '../environment/leaks.ts';
import { reconcileFully } from '../environment/reconcile.ts';
import { findRuns } from '../environment/runs-elsewhere.ts';
import { flag, nameArgument, operation } from './operation.ts';
import { count } from './show.ts';
import { refuseRunsFlag, tellRuns } from './tell-runs.ts';
import { reasons, runsAsk } from './tool.ts';
import { runsView, safe } from './views.ts';

export const apply = operation({
  name: 'apply',
  summary: 'Bring an environment’s changes into the checkout as uncommitted changes',
  details:
    'Three-way against what the files are now; on a conflict the exit status is 4 and nothing has changed. Repeat it after the environment moved on: only what is new is brought.',
  effect: 'write',
  tool: {
    title: 'Apply changes to the checkout',
    idempotent: true,
    openWorld: false,
    bindable: false,
    defaults: { refuseRuns: true },
    asks: {
      refuseRuns: runsAsk,
      allowSecrets: reasons.allowSecrets,
    },
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    allowSecrets: flag(z._default(z.boolean(), false), {
      help: 'Even with what looks like a secret in a commit made inside.',
    }),
    refuseRuns: refuseRunsFlag(),
  }),
  async run(context, { name, allowSecrets, refuseRuns }) {
    const workplace = await context.workplace();
    const { environment } = await reconcileFully(workplace, await findEnvironment(workplace, name));
    const { at, refs } = environment;
    const before = at.applied ?? at.base;
    if (!allowSecrets) await refuseLeakyChanges(workplace, environment, { before, after: at.tip });
    const runs = await findRuns(workplace, before, at.tip);
    tellRuns(context, environment.name, runs, refuseRuns);
    const paths = await workplace.merging.applyToCheckout(before, at.tip);
    if (at.applied !== at.tip) {
      const update = { name: refs.applied, before: at.applied ?? null, after: at.tip };
      await workplace.repository.updateRefs([update], `coppice: apply ${environment.name}`);
    }
    return { name: environment.name as string, tip: at.tip as string, paths: paths.map(textOf), runs: runsView(runs) };
  },
  render({ name, paths }, style) {
    if (paths.length === 0) return `nothing new in ${name}`;
    const shown = paths.slice(0, 30).map((path) => `  ${safe(path)}`);
    const more = paths.length > 30 ? [`  … and ${paths.length - 30} more`] : [];
    return [`${style.green('applied')} ${name}: ${count(paths.length, 'file')}`, ...shown, ...more].join('\n');
  },
});
