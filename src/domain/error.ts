/**
 * The one error coppice throws on purpose: what went wrong (code, sentence), what it was about (data) and the way out
 * (hint). Its kind decides the exit status. Anything else that is thrown is a bug and is shown as one.
 */
export type ErrorKind =
  | 'failed'
  | 'usage'
  | 'not-found'
  | 'conflict'
  | 'unavailable'
  | 'refused'
  | 'bug'
  | 'interrupted';

/** Exit status of each kind, as `coppice --help` documents it. */
export const exitStatusOf: Readonly<Record<ErrorKind, number>> = {
  failed: 1,
  usage: 2,
  'not-found': 3,
  conflict: 4,
  unavailable: 5,
  refused: 6,
  bug: 70,
  interrupted: 130,
};

export interface ErrorDetails {
  /** What to do about it: one sentence, or a command to type. */
  readonly hint?: string;
  /** Machine-readable facts, shown with `--json`. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class CoppiceError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  /** `code` is kebab-case and stable: scripts may match it. `message` is one sentence that names the thing. */
  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CoppiceError';
    this.kind = kind;
    this.code = code;
    this.hint = details.hint;
    this.data = details.data ?? {};
  }
}

/** Whether `error` is ours and carries this code. */
export function hasCode(error: unknown, code: string): error is CoppiceError {
  return error instanceof CoppiceError && error.code === code;
}
