/** `prune`: clears away environments whose work is merged, and what interrupted commands left behind. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { parseMoment } from '../domain/moment.ts';
import type { NotAsked } from '../environment/merged/ask.ts';
import { type Kept, type Pruned, prune as pruneAll } from '../environment/merged/prune.ts';
import { flag, namesArgument, operation, type Style } from './operation.ts';
import { columns, safe } from './views.ts';

export const prune = operation({
  name: 'prune',
  summary: 'Remove environments whose work is merged, and what interrupted commands left behind; nothing is lost',
  details:
    'An environment goes when all of its work is in its target (also after a squash or a rebase), or its forge says that a pull request with all of it was merged there, nothing runs in it and nobody is in its directory. It goes as with remove: restore brings it back. Besides: half-made and half-removed environments, containers and worktree registrations of this installation that belong to no environment, caches. The trash stays unless --trash says otherwise.',
  effect: 'destroy',
  tool: {
    title: 'Clear away what is merged',
    idempotent: true,
    openWorld: true,
    bindable: false,
    asks: {
      dryRun: {
        why: 'environments that others made may go',
        called: 'prune without dryRun',
        unless: (dryRun) => dryRun === true,
      },
    },
  },
  version: 1,
  input: z.strictObject({
    names: namesArgument('Only these environments, and nothing else. Default: all.'),
    dryRun: flag(z._default(z.boolean(), false), { help: 'Only say what would go, and why.', short: '-n' }),
    olderThan: flag(z.optional(z.string()), {
      help: 'Only what was last worked in (with --trash: removed) longer ago, such as 12h or 30d, or before a date.',
      value: 'AGE',
    }),
    unchanged: flag(z._default(z.boolean(), false), { help: 'Also environments in which nothing was ever changed.' }),
    noForge: flag(z._default(z.boolean(), false), {
      help: 'Do not ask GitHub, GitLab or Gitea whether a pull request was merged.',
    }),
    trash: flag(z._default(z.boolean(), false), {
      help: 'Also delete, for good, what was removed. Needs --older-than.',
    }),
  }),
  async run(context, { names = [], dryRun, olderThan, unchanged, noForge, trash }) {
    if (trash && olderThan === undefined) {
      throw new CoppiceError('usage', 'age-needed', 'Say how old what --trash deletes for good has to be.', {
        hint: 'For example: coppice prune --trash --older-than 30d --dry-run',
      });
    }
    if (trash && names.length > 0) {
      throw new CoppiceError(
        'usage',
        'options-clash',
        '--trash is for all of the trash, not for environments by name.',
        {
          hint: '`coppice restore` without a name lists what is there.',
        },
      );
    }
    const workplace = await context.workplace();
    const before = olderThan === undefined ? undefined : momentOf(olderThan, workplace.now());
    const pruned: Pruned[] = [];
    const kept: Kept[] = [];
    const notAsked: NotAsked[] = [];
    const ask = noForge ? undefined : { signal: context.signal, report: (line: string) => context.report(line) };
    for await (const event of pruneAll(workplace, { names, before, unchanged, trash, dryRun, ask })) {
      const { what, ...rest } = event;
      if (what === 'kept') kept.push(rest as Kept);
      else if (what === 'pruned') pruned.push(rest as Pruned);
      else notAsked.push(rest as NotAsked);
      if (context.signal.aborted) break;
    }
    return { dryRun, pruned: pruned.map((each) => ({ ...each, kind: each.kind as string })), kept, notAsked };
  },
  render({ dryRun, pruned, kept, notAsked }, style) {
    const rows = pruned.map(({ kind, name, reason }) => [`${kind} ${style.bold(safe(name))}`, safe(reason)]);
    const stays = kept.map(({ name, reason }) => [style.dim(`keep ${safe(name)}`), style.dim(safe(reason))]);
    const parts = [columns([...rows, ...stays]), ...renderNotAsked(notAsked, style), lastLine(dryRun, pruned, style)];
    return parts.filter((part) => part !== '').join('\n');
  },
});

/** Who was not asked may know of more that could go. */
function renderNotAsked(notAsked: readonly NotAsked[], style: Style): readonly string[] {
  return notAsked.flatMap(({ forge, reason, hint }) => [
    style.yellow(forge === null ? `no forge was asked: ${safe(reason, 400)}` : safe(reason, 400)),
    ...(hint === null ? [] : [style.dim(`  ${safe(hint, 400)}`)]),
    ...(forge === null ? [] : [style.dim('  What it did not answer was judged by git alone.')]),
  ]);
}

function lastLine(dryRun: boolean, pruned: readonly Pick<Pruned, 'trash'>[], style: Style): string {
  if (pruned.length === 0) return style.dim(dryRun ? 'Nothing would go.' : 'Nothing to clear away.');
  if (dryRun) return style.dim('Nothing was changed: this was a dry run.');
  return pruned.some(({ trash }) => trash !== null) ? style.dim('Bring one back with: coppice restore NAME') : '';
}

function momentOf(text: string, now: Date): Date {
  const moment = parseMoment(text, now);
  if (moment !== undefined) return moment;
  throw new CoppiceError('usage', 'bad-age', `${JSON.stringify(text)} is no age and no date.`, {
    hint: 'Such as 90m, 12h, 30d, or 2026-01-31.',
  });
}
