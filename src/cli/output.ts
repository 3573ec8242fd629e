/**
 * stdout is the answer, stderr the narration; with --json the answer is one document. All of it leaves through here, and
 * nothing in it that a terminal would obey but our own colours.
 */
import pc from 'picocolors';
import { forTerminal, jsonText, visible } from '../domain/terminal-text.ts';
import type { Failure } from '../operations/failure.ts';
import type { AnyOperation, Style } from '../operations/operation.ts';

export function styleOf(colour: boolean): Style {
  const { bold, dim, red, green, yellow, cyan } = pc.createColors(colour);
  return { bold, dim, red, green, yellow, cyan, colour, now: new Date() };
}

/** Whether a stream gets colour: the usual variables, then whether it is a terminal. */
export function wantsColour(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return isTerminal && env.TERM !== 'dumb';
}

/** How the answer is wanted. */
export interface Wanted {
  readonly json: boolean;
  /** Whether somebody looks at it, and not a program. */
  readonly terminal: boolean;
}

export function answerText(operation: AnyOperation, output: unknown, wanted: Wanted, style: Style): string {
  if (wanted.json)
    return `${jsonText({ schema: `coppice.${operation.name}/${operation.version}`, ...(output as object) })}\n`;
  const exact = wanted.terminal ? undefined : operation.exact?.(output);
  if (exact !== undefined) return exact;
  const text = forTerminal(operation.render(output, style));
  return text === '' ? '' : `${text}\n`;
}

/** One piece of narration, which has no colours. */
export function reportText(message: string): string {
  return `${visible(message)}\n`;
}

/** One line: NDJSON, or what the operation makes of it for people. */
export function eventText(
  operation: AnyOperation,
  event: Readonly<Record<string, unknown>>,
  json: boolean,
  style: Style,
): string {
  if (json) return `${jsonText({ schema: `coppice.${operation.name}.event/${operation.version}`, ...event })}\n`;
  return `${forTerminal(operation.renderEvent?.(event, style) ?? '')}\n`;
}

/** With --json the failure is the answer. */
export function failureDocument({ document }: Failure): string {
  return `${jsonText(document)}\n`;
}
