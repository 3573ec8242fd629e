/** The check on what would land, and on parts of it, several at a time: who is to blame where it fails. */
import type { ResolvedSpec } from '../../domain/environment.ts';
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import type { Report, Workplace } from '../workplace.ts';
import type { Link, Linked } from './chain.ts';
import { type Checked, type CheckRequest, knownCheck, runCheck } from './check.ts';
import { sortOut } from './guilty.ts';

export interface Failed {
  readonly name: EnvironmentName;
  /** Environments it only fails together with; they land. */
  readonly with: readonly EnvironmentName[];
  readonly checked: Checked;
}

export interface CheckOptions {
  readonly into: RefName;
  readonly timeoutSeconds: number;
  readonly cache: boolean;
  /** Containers at work at one time. */
  readonly jobs: number;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** The command, and what it runs in. */
export interface Ground {
  readonly command: string;
  readonly spec: ResolvedSpec;
}

/** A line that may be asked about, and how parts of it are made. */
export interface Trial {
  readonly before: Oid;
  readonly chain: Linked;
  readonly ground: Ground;
  linkUp(links: readonly Link[]): Promise<Linked>;
}

export interface Checks {
  /** Those that the line passes without. Throws `check-fails-without` (kind `failed`). */
  whoFails(trial: Trial): Promise<readonly Failed[]>;
  /** How often the check ran, and how often its result was known. */
  counts(): { readonly run: number; readonly known: number };
}

export function openChecks(workplace: Workplace, options: CheckOptions): Checks {
  const { into, jobs, report, signal } = options;
  /** By tree: each counts once, though the line is put together again and again. */
  const results = new Map<Oid, Checked>();
  const counted = { run: 0, known: 0 };

  const keep = (tree: Oid, checked: Checked) => {
    if (checked.cached) counted.known += 1;
    else counted.run += 1;
    results.set(tree, checked);
    return checked;
  };
  const requestFor = async ({ before, chain, ground, linkUp }: Trial, links: readonly Link[]) => {
    const commit = await lastOf(before, chain, links, linkUp);
    const { tree } = await workplace.repository.readCommit(commit);
    const { timeoutSeconds, cache } = options;
    return { commit, tree, base: before, ...ground, timeoutSeconds, cache } satisfies CheckRequest;
  };
  const check = async (trial: Trial, links: readonly Link[], unwanted?: AbortSignal): Promise<Checked> => {
    const request = await requestFor(trial, links);
    const known = results.get(request.tree);
    if (known !== undefined) return known;
    const what = links.length === 0 ? shortName(into) : said(links.map(({ name }) => name));
    const remembered = await knownCheck(workplace, request);
    if (remembered !== undefined) {
      report(`${what}: ${resultOf(remembered)}, as known`);
      return keep(request.tree, remembered);
    }
    const stop = unwanted === undefined ? signal : AbortSignal.any([signal, unwanted]);
    if (!stop.aborted) {
      report(`checking ${what} …`);
      const drop = () => signal.aborted || report(`${what}: not needed any more`);
      unwanted?.addEventListener('abort', drop, { once: true });
    }
    const checked = await runCheck(workplace, request, (message) => report(`${what}: ${message}`), stop);
    report(`${what}: ${resultOf(checked)}, ${checked.seconds} s`);
    return keep(request.tree, checked);
  };
  const failsWithout = async (trial: Trial): Promise<CoppiceError> => {
    const { output, exit } = await check(trial, []);
    const { command } = trial.ground;
    const target = shortName(into);
    return new CoppiceError('failed', 'check-fails-without', `${command} fails on ${target} itself.`, {
      hint: `${saidBy(output)}Nothing was landed: nobody can tell who breaks what is broken already. Mend ${target}, or land without the check: --skip-check.`,
      data: { into: target, check: command, exit, output },
    });
  };

  return {
    async whoFails(trial) {
      const whole = await requestFor(trial, trial.chain.links);
      const known = results.get(whole.tree) ?? (await knownCheck(workplace, whole));
      // Where all is well nothing else is begun.
      if (known?.passed) {
        await check(trial, trial.chain.links);
        return [];
      }
      const passes = async (links: readonly Link[], unwanted: AbortSignal) =>
        (await check(trial, links, unwanted)).passed;
      const sorted = await sortOut(trial.chain.links, passes, jobs);
      if (sorted.failsWithout) throw await failsWithout(trial);
      const failed: Failed[] = [];
      for (const { item, with: partners } of sorted.guilty) {
        const checked = await check(trial, [...partners, item]);
        failed.push({ name: item.name, with: partners.map(({ name }) => name), checked });
      }
      return failed;
    },
    counts: () => ({ ...counted }),
  };
}

/** The beginning of a line is there already; anything else is put together. */
async function lastOf(before: Oid, chain: Linked, links: readonly Link[], linkUp: Trial['linkUp']): Promise<Oid> {
  const last = links.at(-1);
  if (last === undefined) return before;
  if (links.every((link, index) => link === chain.links[index])) return last.commit;
  return (await linkUp(links)).after;
}

/** The end of it. */
function saidBy(output: string): string {
  const lines = output.trim().split('\n').slice(-20).join('\n');
  return lines === '' ? '' : `It said:\n${lines}\n`;
}

function resultOf({ passed, exit }: Checked): string {
  return passed ? 'passed' : `failed (exit ${exit})`;
}

/** `a, b, … z (5)`: with the last, which is what makes the difference. */
export function said(names: readonly string[]): string {
  if (names.length <= 4) return names.join(', ');
  return `${names.slice(0, 2).join(', ')}, … ${names.at(-1)} (${names.length})`;
}
