/**
 * stdout is the answer, stderr the narration; with --json the answer is one document. All of it leaves through here, and
 * nothing in it that a terminal would obey but our own colours.
 */
import { inspect } from 'node:util';
import pc from 'picocolors';
import { CoppiceError, exitStatusOf } from '../domain/error.ts';
import { forTerminal, jsonText, visible } from '../domain/terminal-text.ts';
import type { AnyOperation, Style } from '../operations/operation.ts';
import { safe } from '../operations/views.ts';

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

export interface Failure {
  readonly status: number;
  /** For stdout; only with --json. */
  readonly document: string;
  /** For stderr. */
  readonly text: string;
}

export function failureOf(error: unknown, json: boolean, style: Style): Failure {
  if (!(error instanceof CoppiceError) || error.kind === 'bug') return bugOf(error, json, style);
  const { kind, code, message, hint, data } = error;
  const document = json
    ? `${jsonText({ schema: 'coppice.error/1', error: { code, kind, message, hint: hint ?? null, data } })}\n`
    : '';
  const lines = [
    `${style.red('error:')} ${visible(message)}`,
    ...filesOf(data, style),
    ...(hint === undefined ? [] : [`${style.dim('hint:')} ${visible(hint)}`]),
  ];
  return { status: exitStatusOf[kind], document, text: `${lines.join('\n')}\n` };
}

/** Conflicted files belong to the answer; for people they are listed with the error. */
function filesOf(data: CoppiceError['data'], style: Style): readonly string[] {
  const { files, paths } = data as { files?: readonly unknown[]; paths?: readonly unknown[] };
  return (files ?? paths ?? []).slice(0, 50).map((file) => {
    if (typeof file === 'string') return `  ${safe(file)}`;
    const { path, kind } = file as { path?: string; kind?: string };
    return `  ${safe(path ?? '')}  ${style.dim(kind ?? '')}`;
  });
}

function bugOf(error: unknown, json: boolean, style: Style): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const document = json
    ? `${jsonText({ schema: 'coppice.error/1', error: { code: 'bug', kind: 'bug', message, hint: null, data: {} } })}\n`
    : '';
  const text = `${style.red('This is a bug in coppice:')} ${visible(inspect(error))}\nPlease report it with what you did. Nothing of your work was thrown away.\n`;
  return { status: exitStatusOf.bug, document, text };
}
