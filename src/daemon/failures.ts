/** Failures in a row of one kind of work, and when it may be tried again. */
import { CoppiceError } from '../domain/error.ts';
import type { Clock } from './clock.ts';
import { failurePause } from './pace.ts';
import type { ErrorStatus } from './status.ts';

export interface Failures {
  /** 0 unless the last attempt failed. */
  readonly notBefore: number;
  readonly last: ErrorStatus | null;
  succeeded(): void;
  /** Returns what to tell. */
  failed(error: unknown): ErrorStatus;
}

export function countFailures(clock: Clock): Failures {
  let notBefore = 0;
  let last: ErrorStatus | null = null;
  return {
    get notBefore() {
      return notBefore;
    },
    get last() {
      return last;
    },
    succeeded: () => {
      notBefore = 0;
      last = null;
    },
    failed: (error) => {
      const failures = (last?.failures ?? 0) + 1;
      notBefore = clock.now() + failurePause(failures);
      last = { ...describeError(error), at: clock.date().toISOString(), failures };
      return last;
    },
  };
}

export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof CoppiceError) return { code: error.code, message: error.message };
  return { code: 'bug', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
