/** `conflicts`: which environments conflict with one another and with their targets, where, and since when. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { shortName } from '../domain/ref-name.ts';
import { conflictMatrix } from '../environment/conflicts/matrix.ts';
import { mergeOrders } from '../environment/conflicts/order.ts';
import { conflictsSince } from '../environment/conflicts/since.ts';
import { environmentsUpToDate } from '../environment/conflicts/up-to-date.ts';
import { openVerdictCache } from '../environment/conflicts/verdict-cache.ts';
import { findEnvironment } from '../environment/find.ts';
import { conflictView, isListed, orderView, renderConflicts, renderOrders, renderTable } from './conflict-views.ts';
import { flag, namesArgument, operation } from './operation.ts';
import { count } from './show.ts';
import { renderConflictEvent, watchConflicts } from './watch-conflicts.ts';

/** To find since when costs some ten merges a conflict: among more than these only for environments that are named. */
const mostDated = 25;

export const conflicts = operation({
  name: 'conflicts',
  summary: 'Tell which environments conflict with one another and with their targets, where, and since when',
  details:
    'Every pair is merged for real, in objects only: nothing is touched. Two environments are merged over their own merge base, the later one by name into the earlier one. What did not move since the last look is remembered. Since when is told of at most 25 conflicts, and of all that named environments have. Exit status 4 when there are conflicts.',
  effect: 'read',
  tool: {
    title: 'Conflicts between environments',
    idempotent: true,
    openWorld: false,
    bindable: true,
    without: {
      watch: 'subscribe to the resource coppice://conflicts instead',
    },
  },
  version: 1,
  input: z.strictObject({
    names: namesArgument('Only conflicts that one of these has. Default: of all environments.'),
    order: flag(z._default(z.boolean(), false), {
      help: 'Also which of them merge cleanly into their target together, in which order, and who is in the way of the rest.',
    }),
    watch: flag(z._default(z.boolean(), false), {
      help: 'Go on, a line for each conflict that begins or ends; Ctrl-C ends it.',
    }),
  }),
  streams: ({ watch }) => watch,
  async run(context, { names = [], order, watch }) {
    if (order && watch) {
      throw new CoppiceError('usage', 'options-clash', '--order and --watch exclude each other.', {
        hint: 'Give one of them.',
      });
    }
    const workplace = await context.workplace();
    const about = new Set<string>();
    for (const name of names) about.add((await findEnvironment(workplace, name)).name);
    const cache = await openVerdictCache(workplace.repository.commonDirectory);
    const all = await environmentsUpToDate(workplace, context.report);
    const matrix = await conflictMatrix(workplace, all, cache, order || about.size === 0 ? {} : { about });
    const shown = matrix.cells.filter((cell) => isListed(cell, about));
    const dated = about.size > 0 || shown.length <= mostDated ? shown : [];
    const since = await conflictsSince(workplace, dated, cache);
    const output = {
      environments: matrix.environments.map(({ name, target, at }) => ({
        name: name as string,
        target: target === undefined ? null : shortName(target),
        tip: at.tip as string,
      })),
      settled: matrix.settled.map(({ name }) => name as string),
      pairs: matrix.cells.length,
      conflicts: shown.map((cell) => conflictView(cell, since.get(cell))),
      order: order ? (await mergeOrders(workplace, matrix)).map(orderView) : null,
      about: [...about],
    };
    if (watch) await watchConflicts(context, workplace, { matrix, cache, about });
    return output;
  },
  exitStatus: (output) => (output.conflicts.length > 0 ? 4 : 0),
  renderEvent: renderConflictEvent,
  render(output, style) {
    const { environments, settled, conflicts: found, pairs } = output;
    const idle = settled.length === 0 ? [] : [style.dim(`nothing to merge in ${settled.join(', ')}`)];
    if (environments.length === 0) return idle[0] ?? style.dim('No environments yet. `coppice create` makes one.');
    const summary =
      found.length === 0
        ? style.green(`No conflicts in ${count(pairs, 'pair')}.`)
        : `${style.red(count(found.length, 'conflict'))} in ${count(pairs, 'pair')}`;
    const parts = [
      summary,
      renderTable(output, style),
      renderConflicts(output, style),
      renderOrders(output.order, style),
    ];
    return [...parts, ...idle].filter((part) => part !== '').join('\n');
  },
});
