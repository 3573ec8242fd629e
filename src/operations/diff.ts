/** `diff`: what an environment changed, against where its work starts; never against what happens to be checked out. */
import * as z from 'zod/mini';
import { visible } from '../domain/terminal-text.ts';
import { findEnvironment } from '../environment/find.ts';
import { startOfChange } from '../environment/merged/merged.ts';
import { reconcile } from '../environment/reconcile.ts';
import { findRuns } from '../environment/runs-elsewhere.ts';
import { flag, nameArgument, operation, type Style } from './operation.ts';
import { count, renderFiles } from './show.ts';
import { fileView, plainStyle, renderRuns, runsView } from './views.ts';

export const diff = operation({
  name: 'diff',
  summary: 'Show what an environment changed since its base',
  details:
    'When the target was merged into the environment since, or has a part of its work by a squash or rebase, the diff starts from there, so that only what is left shows. What runs on the host or in CI after a merge is listed on stderr.',
  effect: 'read',
  tool: {
    title: 'Changes of an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    stat: flag(z._default(z.boolean(), false), { help: 'Files and line counts only.' }),
  }),
  async run(context, { name, stat }) {
    const workplace = await context.workplace();
    const { environment } = await reconcile(workplace, await findEnvironment(workplace, name));
    const { repository } = workplace;
    const before = await startOfChange(workplace, environment);
    const after = environment.at.tip;
    const [files, runs, patch] = await Promise.all([
      repository.diffStat(before, after),
      findRuns(workplace, before, after),
      stat ? undefined : repository.diff({ before, after, format: 'patch' }),
    ]);
    // Not among the patch, which is for `git apply` as well.
    if (runs.length > 0) context.report(renderRuns(runsView(runs), plainStyle));
    return {
      name: environment.name as string,
      before: before as string,
      after: after as string,
      files: fileView(files),
      runs: runsView(runs),
      patch: patch === undefined ? null : patch.toString('utf8'),
    };
  },
  render({ files, patch }, style) {
    if (patch !== null) return style.colour ? paint(visible(patch), style) : visible(patch).replace(/\n$/, '');
    if (files.length === 0) return style.dim('No changes.');
    const sum = (of: 'added' | 'removed') => files.reduce((total, file) => total + (file[of] ?? 0), 0);
    return `${renderFiles(files, style)}\n${count(files.length, 'file')}, +${sum('added')} −${sum('removed')}`;
  },
  // For `git apply`: every byte counts.
  exact: ({ patch }) => patch ?? undefined,
});

function paint(patch: string, style: Style): string {
  return patch
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => {
      if (/^(diff|index|---|\+\+\+|new file|deleted file|similarity|rename|old mode|new mode)/.test(line))
        return style.bold(line);
      if (line.startsWith('@@')) return style.cyan(line);
      if (line.startsWith('+')) return style.green(line);
      return line.startsWith('-') ? style.red(line) : line;
    })
    .join('\n');
}
