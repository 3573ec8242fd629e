/** How a failure is said: one document, and text for people. Every surface says it alike. */
import { inspect } from 'node:util';
import { CoppiceError, exitStatusOf } from '../domain/error.ts';
import { visible } from '../domain/terminal-text.ts';
import type { Style } from './operation.ts';
import { safe } from './views.ts';

export interface Failure {
  readonly status: number;
  readonly document: FailureDocument;
  readonly text: string;
}

export type FailureDocument = {
  readonly schema: 'coppice.error/1';
  readonly error: {
    readonly code: string;
    readonly kind: CoppiceError['kind'];
    readonly message: string;
    readonly hint: string | null;
    readonly data: CoppiceError['data'];
  };
};

export function failureOf(error: unknown, style: Style): Failure {
  if (!(error instanceof CoppiceError) || error.kind === 'bug') return bugOf(error, style);
  const { kind, code, message, hint, data } = error;
  const lines = [
    `${style.red('error:')} ${visible(message)}`,
    ...filesOf(data, style),
    ...(hint === undefined ? [] : [`${style.dim('hint:')} ${visible(hint)}`]),
  ];
  return {
    status: exitStatusOf[kind],
    document: { schema: 'coppice.error/1', error: { code, kind, message, hint: hint ?? null, data } },
    text: `${lines.join('\n')}\n`,
  };
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

function bugOf(error: unknown, style: Style): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return {
    status: exitStatusOf.bug,
    document: { schema: 'coppice.error/1', error: { code: 'bug', kind: 'bug', message, hint: null, data: {} } },
    text: `${style.red('This is a bug in coppice:')} ${visible(inspect(error))}\nPlease report it with what you did. Nothing of your work was thrown away.\n`,
  };
}
