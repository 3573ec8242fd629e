/** How secrets in commits are said in answers. */
import { textOf } from '../domain/byte-path.ts';
import type { Leak, LeakElsewhere } from '../git/leaks.ts';
import type { Style } from './operation.ts';
import { safe, short } from './views.ts';

function oneLeak({ commit, path, detail }: Leak) {
  // null: in the commit itself, its message or who made it.
  return { commit: commit as string, path: path === undefined ? null : textOf(path), detail };
}

export function leakView(leaks: readonly Leak[]) {
  return leaks.map(oneLeak);
}
export type LeakView = ReturnType<typeof leakView>;

export function leakElsewhereView(leaks: readonly LeakElsewhere[]) {
  return leaks.map((leak) => ({ ...oneLeak(leak), ref: (leak.ref ?? null) as string | null }));
}
export type LeakElsewhereView = ReturnType<typeof leakElsewhereView>;

const shownAtOnce = 10;

export function renderLeaks(leaks: LeakView, style: Style): string {
  if (leaks.length === 0) return '';
  const hint = '  `merge` and `apply` refuse while it is in there: amend the commit inside, or allow the path';
  return [...lines(leaks, style, () => ''), style.dim(hint)].join('\n');
}

/** What no merge takes along, but a push of the environment's references does. */
export function renderLeaksElsewhere(name: string, leaks: LeakElsewhereView, style: Style): string {
  if (leaks.length === 0) return '';
  const at = ({ ref }: LeakElsewhereView[number]) => (ref === null ? '' : `, kept by ${safe(ref)}`);
  const hint = `  no merge brings it along, a push of refs/coppice/${name}/* does; \`git update-ref -d REF\` drops one, with all that it keeps`;
  return [...lines(leaks, style, at), style.dim(hint)].join('\n');
}

function lines<One extends LeakView[number]>(
  leaks: readonly One[],
  style: Style,
  more: (leak: One) => string,
): readonly string[] {
  const shown = leaks.slice(0, shownAtOnce).map((leak) => {
    const where = `${leak.path === null ? '' : `${safe(leak.path)} in `}commit ${style.yellow(short(leak.commit))}`;
    return `  ${style.red('secret?')} ${where}${more(leak)}  ${style.dim(safe(leak.detail))}`;
  });
  const others = leaks.length - shownAtOnce;
  return others > 0 ? [...shown, `  … and ${others} more (--json lists all)`] : shown;
}
