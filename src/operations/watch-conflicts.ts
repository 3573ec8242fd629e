/** `conflicts --watch`: what begins and what ends, as checkpoints land and targets move. */
import { setTimeout as pause } from 'node:timers/promises';
import { coppiceRefs } from '../domain/ref-layout.ts';
import { conflictChanges } from '../environment/conflicts/changes.ts';
import { type Cell, conflictMatrix, type Matrix } from '../environment/conflicts/matrix.ts';
import { readyEnvironments } from '../environment/conflicts/up-to-date.ts';
import type { VerdictCache } from '../environment/conflicts/verdict-cache.ts';
import type { Workplace } from '../environment/workplace.ts';
import { conflictView, isListed } from './conflict-views.ts';
import type { Context, Style } from './operation.ts';
import { count } from './show.ts';
import { safe } from './views.ts';

/** Milliseconds between two looks at the references: one process of some milliseconds. */
const lookEvery = 300;

interface Seen {
  readonly matrix: Matrix;
  readonly cache: VerdictCache;
  readonly about: ReadonlySet<string>;
}

/** Begins with the conflicts there are. Until the context's signal. */
export async function watchConflicts(
  context: Context,
  workplace: Workplace,
  { matrix, cache, about }: Seen,
): Promise<void> {
  let known: readonly Cell[] = [];
  const tell = (cells: readonly Cell[]) => {
    for (const { cell, state } of conflictChanges(known, cells)) {
      if (!isListed(cell, about)) continue;
      const { ours, theirs, files, reason } = conflictView(cell, undefined);
      context.emit({ type: 'conflict', at: workplace.now().toISOString(), state, ours, theirs, files, reason });
    }
    known = cells;
  };
  tell(matrix.cells);
  if ((await workplace.daemon.facts()) === undefined) {
    context.report('no daemon is running: changes are seen once something checkpoints them');
  }
  context.report(`watching ${count(matrix.environments.length, 'environment')}; Ctrl-C ends it`);
  let seen = await positions(workplace);
  while (!context.signal.aborted) {
    await rest(context.signal);
    const now = await positions(workplace);
    if (now === seen || context.signal.aborted) continue;
    seen = now;
    tell((await conflictMatrix(workplace, await readyEnvironments(workplace), cache, { again: true })).cells);
  }
}

/** Where all branches and environments are, as a text that changes when one moves. */
async function positions({ repository }: Workplace): Promise<string> {
  const refs = await repository.listRefs('refs/heads/', coppiceRefs);
  return refs.map(({ name, oid }) => `${name} ${oid}`).join('\n');
}

async function rest(signal: AbortSignal): Promise<void> {
  try {
    await pause(lookEvery, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

interface Told {
  readonly at: string;
  readonly state: string;
  readonly reason: string | null;
  readonly ours: { readonly name: string };
  readonly theirs: { readonly name: string };
  readonly files: readonly { readonly path: string; readonly kind: string }[];
}

export function renderConflictEvent(event: Readonly<Record<string, unknown>>, style: Style): string {
  const { at, state, ours, theirs, files, reason } = event as unknown as Told;
  const who = `${style.dim(at.slice(11, 19))} ${style.bold(theirs.name)} and ${style.bold(ours.name)}`;
  if (state === 'ended') return `${who}  ${style.green('merge cleanly now')}`;
  const shown = files.slice(0, 3).map(({ path, kind }) => `${safe(path)} (${kind})`);
  const more = files.length > shown.length ? `, and ${files.length - shown.length} more` : '';
  return `${who}  ${style.red('conflict')}: ${reason === null ? shown.join(', ') + more : safe(reason)}`;
}
