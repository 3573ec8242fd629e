/** How the network of an environment, and what was denied there, are said in answers. */
import { entryFor } from '../domain/allowlist.ts';
import { allowedHosts, type Denial, modeOf, type Network } from '../domain/network.ts';
import type { Style } from './operation.ts';
import { age, safe } from './views.ts';

export function networkView(network: Network) {
  return { mode: modeOf(network) as string, allow: [...allowedHosts(network)] };
}
export type NetworkView = ReturnType<typeof networkView>;

/** `allow`: what to add to the list; null where no entry helps, or the name is none that could be typed without harm. */
export function deniedView(denied: readonly Denial[]) {
  return denied.map(({ host, port, reason, count, first, last }) => {
    const allow = reason === 'not-listed' ? (entryFor({ host, port }) ?? null) : null;
    return { host, port, reason: reason as string, count, first, last, allow };
  });
}
export type DeniedView = ReturnType<typeof deniedView>;

export function describeNetwork({ mode, allow }: NetworkView): string {
  if (mode !== 'allowlist') return mode;
  return `allowlist: ${allow.length === 0 ? 'nothing' : safe(allow.join(', '), 1_000)}`;
}

const mostLines = 10;

/** A line for each, with the command that would allow it. */
export function renderDenied(
  name: string,
  { total, recent }: { readonly total: number; readonly recent: DeniedView },
  style: Style,
): string {
  const shown = recent.slice(0, mostLines);
  const lines = shown.map((each) => {
    const often = each.count === 1 ? '' : `${each.count} times, last `;
    const when = `${often}${age(new Date(each.last), style.now)} ago`;
    const way = each.allow === null ? explain(each.reason) : `coppice start ${name} --allow-host ${each.allow}`;
    return `  ${style.red('denied')} ${describe(each)}  ${when}${way === '' ? '' : `  ${style.dim(way)}`}`;
  });
  const counted = shown.reduce((sum, { count }) => sum + count, 0);
  const more = total > counted ? [`  … and ${total - counted} more denied requests`] : [];
  return [...lines, ...more].join('\n');
}

const mostInLine = 5;

/** All in one line, for the narration. */
export function summarizeDenied(name: string, denied: DeniedView): string {
  const some = denied.slice(0, mostInLine);
  const what = some.map((each) => `${describe(each)}${each.count === 1 ? '' : ` (${each.count} times)`}`).join(', ');
  const more = denied.length > some.length ? ` and ${denied.length - some.length} more` : '';
  const flags = [...new Set(some.flatMap(({ allow }) => (allow === null ? [] : [` --allow-host ${allow}`])))].join('');
  return `Denied by the allowlist: ${what}${more}.${flags === '' ? '' : ` To allow: coppice start ${name}${flags}`}`;
}

function describe({ host, port }: { readonly host: string; readonly port: number | null }): string {
  return port === null ? `${safe(host)} (looked up)` : `${safe(host)}:${port}`;
}

function explain(reason: string): string {
  if (reason === 'private') return 'leads to an address of this machine or its network: allow that address as well';
  return reason === 'no-name' ? 'TLS without a server name: through HTTPS_PROXY the program says whom it means' : '';
}
