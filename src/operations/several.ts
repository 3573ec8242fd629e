/** Several environments in one call: each is done or refused on its own, and told so. */
import * as z from 'zod/mini';
import { CoppiceError, type ErrorKind, exitStatusOf } from '../domain/error.ts';
import { flag, type Style } from './operation.ts';
import { count } from './show.ts';

/** Further names, after the first: the NAME of a single call stays what it is. */
export function moreNames(help: string) {
  return flag(z.optional(z.array(z.string())), { help, place: 'argument', value: 'NAME' });
}

/** Why agents have no list: each call is about one environment, which they may be bound to. */
export const oneCallEach = 'one call for each';

export interface ToldError {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly hint: string | null;
}

export type Each<Done> = (Done & { readonly error: null }) | { readonly name: string; readonly error: ToldError };

/** Each once; without any, the one that `findEnvironment` finds without a name. */
export function namesOf(name: string | undefined, more: readonly string[] = []): readonly (string | undefined)[] {
  return name === undefined ? [undefined] : [...new Set([name, ...more])];
}

/** Of one alone an error is thrown, as ever; of several, what goes wrong with one is no reason not to go on. */
export async function eachOf<Done>(
  names: readonly (string | undefined)[],
  one: (name: string | undefined) => Promise<Done>,
): Promise<readonly Each<Done>[]> {
  const results: Each<Done>[] = [];
  for (const name of names) {
    try {
      results.push({ ...(await one(name)), error: null });
    } catch (error) {
      if (names.length === 1 || !(error instanceof CoppiceError)) throw error;
      if (error.kind === 'bug' || error.kind === 'interrupted') throw error;
      const { code, kind, message, hint } = error;
      results.push({ name: name ?? '', error: { code, kind, message, hint: hint ?? null } });
    }
  }
  return results;
}

const byWeight: readonly ErrorKind[] = ['conflict', 'refused', 'unavailable', 'failed', 'usage', 'not-found'];

export function statusOfEach(results: readonly { readonly error: ToldError | null }[]): number {
  const worst = byWeight.find((kind) => results.some(({ error }) => error?.kind === kind));
  return worst === undefined ? 0 : exitStatusOf[worst];
}

export function renderEach<Done>(
  results: readonly Each<Done>[],
  render: (done: Done) => string,
  done: string,
  style: Style,
): string {
  const parts = results.map((each) => (isRefused(each) ? renderRefused(each, style) : render(each)));
  const refused = results.filter(isRefused).length;
  if (refused === 0) return parts.join('\n');
  return [...parts, style.dim(`${results.length - refused} ${done}, ${count(refused, 'failure')}`)].join('\n');
}

function isRefused<Done>(each: Each<Done>): each is { readonly name: string; readonly error: ToldError } {
  return each.error !== null;
}

function renderRefused({ name, error }: { readonly name: string; readonly error: ToldError }, style: Style): string {
  const hint = error.hint === null ? '' : `\n  ${style.dim('hint:')} ${error.hint}`;
  return `${style.bold(name)}: ${style.red(error.message)}${hint}`;
}
