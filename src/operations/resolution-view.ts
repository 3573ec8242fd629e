/** How a conflict that is being resolved is said in answers: what meets in it, and how far it is. */

import { otherName } from '../environment/resolution/conflict.ts';
import type { Resolution } from '../environment/resolution/find.ts';
import { intentsOf, type Side } from '../environment/resolution/intents.ts';
import { progressOf } from '../environment/resolution/progress.ts';
import type { Workplace } from '../environment/workplace.ts';
import type { Style } from './operation.ts';
import { columns, safe, short } from './views.ts';

export async function resolutionView(workplace: Workplace, resolution: Resolution) {
  const { conflict } = resolution.record;
  const [intents, progress] = await Promise.all([intentsOf(workplace, conflict), progressOf(workplace, resolution)]);
  return {
    environment: conflict.environment,
    with: otherName(conflict),
    ours: sideView(intents.ours),
    theirs: sideView(intents.theirs),
    files: intents.files.map(({ path, kind, ours, theirs }) => ({
      path,
      kind,
      state: progress.get(path) ?? 'open',
      ours: ours as readonly string[],
      theirs: theirs as readonly string[],
    })),
  };
}
export type ResolutionView = Awaited<ReturnType<typeof resolutionView>>;

function sideView({ name, title, commits }: Side) {
  const views = commits.map(({ oid, message }) => ({ oid: oid as string, subject: message.split('\n')[0] ?? '' }));
  return { name, title, commits: views };
}

/** Lines for people. */
export function renderResolution({ ours, theirs, files }: ResolutionView, style: Style): string {
  const shown = files.slice(0, 30).map(({ path, kind, state, ...sides }) => {
    const commits = [sides.ours, sides.theirs].map((oids) => oids.slice(0, 3).map(short).join(' ') || '…');
    const colour = state === 'open' || state === 'markers' ? style.red : style.green;
    return [`  ${colour(stateWords[state])}`, safe(path), style.dim(kind), style.dim(commits.join(' against '))];
  });
  const more = files.length > 30 ? [`  … and ${files.length - 30} more`] : [];
  return [renderSide(ours, style), renderSide(theirs, style), columns(shown), ...more].join('\n');
}

const stateWords = { open: 'conflict', markers: 'markers left', remembered: 'as before', edited: 'edited' } as const;

function renderSide({ name, title, commits }: ResolutionView['ours'], style: Style): string {
  const head = `  ${style.bold(name)}${title === null ? '' : `  ${safe(title)}`}`;
  const lines = commits.slice(0, 5).map(({ oid, subject }) => `    ${style.yellow(short(oid))} ${safe(subject, 100)}`);
  const more = commits.length > 5 ? [style.dim(`    … and ${commits.length - 5} more`)] : [];
  return [head, ...lines, ...more].join('\n');
}
