/** `log`: what happened in an environment since its base. */
import * as z from 'zod/mini';
import { trailers } from '../domain/checkpoint.ts';
import type { Oid } from '../domain/oid.ts';
import { visible } from '../domain/terminal-text.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment } from '../environment/find.ts';
import { findLeaks } from '../environment/leaks.ts';
import { startOfWork } from '../environment/merged/merged.ts';
import { reconcile } from '../environment/reconcile.ts';
import type { Workplace } from '../environment/workplace.ts';
import { leakView, renderLeaks } from './leak-view.ts';
import { flag, nameArgument, operation, type Style } from './operation.ts';
import { age, type CommitView, commitView, heldView, renderHeld, safe, short, trailerOf } from './views.ts';

export const log = operation({
  name: 'log',
  summary: 'Show the commits of an environment since its base, newest first',
  effect: 'read',
  tool: {
    title: 'Commits of an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    patch: flag(z._default(z.boolean(), false), { help: 'With the changes of each.', short: '-p' }),
    checkpoints: flag(z._default(z.boolean(), false), {
      help: 'The checkpoints too: the tail, and the folded ones, each with what caused it.',
    }),
    limit: flag(z._default(z.coerce.number().check(z.int(), z.minimum(1)), 200), {
      help: 'At most this many.',
      short: '-n',
      value: 'N',
    }),
  }),
  async run(context, { name, patch, checkpoints, limit }) {
    const workplace = await context.workplace();
    const { environment, held } = await reconcile(workplace, await findEnvironment(workplace, name));
    const { repository } = workplace;
    const { at } = environment;
    const start = await startOfWork(workplace, environment);
    const [commits, tail, folded, leaks] = await Promise.all([
      repository.log({ start: at.head, exclude: [start], limit }),
      repository.log({ start: at.tip, exclude: [at.head], limit }),
      checkpoints ? foldedCheckpoints(workplace, environment, limit) : [],
      findLeaks(workplace, environment),
    ]);
    const entries = [
      ...(checkpoints ? tail.map((each) => entry('checkpoint', commitView(each))) : []),
      ...commits.map((each) => entry('commit', commitView(each))),
      ...folded.map((each) => entry('folded', commitView(each))),
    ];
    return {
      name: environment.name as string,
      entries: patch ? await withPatches(workplace, entries) : entries,
      checkpoints: tail.length,
      held: heldView(held),
      leaks: leakView(leaks),
    };
  },
  render({ entries, checkpoints, held, leaks }, style) {
    const shown = entries.some(({ kind }) => kind === 'checkpoint');
    const tail = checkpoints === 0 || shown ? [] : [style.dim(`${checkpoints} uncommitted (--checkpoints shows them)`)];
    const nothing = entries.length === 0 && tail.length === 0 ? [style.dim('Nothing since the base.')] : [];
    const lines = entries.map((each) => renderEntry(each, style));
    return [renderHeld(held, style), renderLeaks(leaks, style), ...nothing, ...tail, ...lines]
      .filter((part) => part !== '')
      .join('\n');
  },
});

type Kind = 'commit' | 'checkpoint' | 'folded';

function entry(kind: Kind, view: CommitView) {
  return {
    kind,
    ...view,
    cause: trailerOf(view.body, trailers.cause) ?? null,
    patch: null as string | null,
  };
}
type Entry = ReturnType<typeof entry>;

/** Everything under tails/ that no commit or checkpoint of the branch contains. */
async function foldedCheckpoints(workplace: Workplace, environment: Environment, limit: number) {
  const { repository } = workplace;
  const { at, refs } = environment;
  const tails = await repository.listRefs(`${refs.prefix}tails/`);
  const seen = new Set<Oid>();
  const found = [];
  for (const { oid } of tails.toReversed()) {
    for (const each of await repository.log({ start: oid, exclude: [at.head, at.base], limit })) {
      if (seen.has(each.oid) || found.length >= limit) continue;
      seen.add(each.oid);
      found.push(each);
    }
  }
  return found;
}

/** Characters of all patches together: what comes after is left out, and the answer says so. */
const mostPatchText = 2 ** 27;

/** One after the other: together they would be held in memory many times over. */
async function withPatches(workplace: Workplace, entries: readonly Entry[]): Promise<Entry[]> {
  const done: Entry[] = [];
  let left = mostPatchText;
  for (const each of entries) {
    const full = left > 0 ? await withPatch(workplace, each) : each;
    left -= full.patch?.length ?? 0;
    done.push(left >= 0 ? full : { ...each, patch: leftOut });
  }
  return done;
}

const leftOut = '(more than fits: `git show` has it)\n';

async function withPatch(workplace: Workplace, each: Entry): Promise<Entry> {
  const { repository } = workplace;
  const [parent] = each.parents;
  const before = parent === undefined ? await repository.emptyTree() : (parent as Oid);
  const patch = await repository.diff({ before, after: each.oid as Oid, format: 'patch' });
  return { ...each, patch: patch.toString('utf8') };
}

function renderEntry(each: Entry, style: Style): string {
  const oid = each.kind === 'commit' ? style.yellow(short(each.oid)) : style.dim(short(each.oid));
  const cause = each.cause === null ? '' : `  ${style.cyan(safe(each.cause))}`;
  const when = style.dim(`${age(new Date(each.date), style.now)} ago`);
  const mark = each.kind === 'folded' ? style.dim(' (folded)') : '';
  const line = `${oid} ${safe(each.subject)}${cause}  ${when}${mark}`;
  return each.patch === null ? line : `${line}\n${visible(each.patch)}`;
}
