/** Git over exec: commits leave and enter an environment through a pipe to git inside it, never through the file system. */
import type { Readable, Writable } from 'node:stream';
import type { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';

/** A command running inside the environment; joined to one end of git's protocol. */
export interface Pipe {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Exit status of the command inside; never rejects. */
  readonly exit: Promise<number>;
  /** Ends the command inside. Repeatable. */
  kill(): Promise<void>;
}

/** Starts `command` inside the environment, as its user, without a terminal. */
export type OpenPipe = (command: readonly string[]) => Promise<Pipe>;

export interface Fetched {
  /** What HEAD is inside, or undefined when it is unborn. */
  readonly head: Oid | undefined;
  /** Branches inside by short name: only names git accepts. */
  readonly branches: ReadonlyMap<string, Oid>;
  /** Set when only HEAD could be taken, because some branch is broken or was refused: `branches` is empty and says nothing. */
  readonly leftOut?: CoppiceError;
}

export interface FetchOptions {
  /**
   * Prefixes of references (`refs/coppice/<name>/`) whose history the environment may have: only these are offered in the
   * negotiation. Default: every reference of the repository, which tells their object names to the inside and takes
   * longer the more there are.
   */
  readonly known?: readonly string[];
}

export interface Transport {
  /**
   * Brings HEAD and every branch of the git directory `inside` out: into a quarantine, object-checked (fsckObjects), size and
   * time limited, then promoted into the repository. No reference is written. If a branch cannot be taken, HEAD alone is
   * (`leftOut`). Throws `transport-failed` (kind `unavailable`), `hostile-objects` (kind `refused`), `transport-too-large`
   * (kind `refused`).
   */
  fetch(open: OpenPipe, inside: string, options?: FetchOptions): Promise<Fetched>;
  /**
   * The same for commits that no branch reaches, by their names; which of them arrived. Throws as `fetch`: then none did.
   */
  fetchCommits(
    open: OpenPipe,
    inside: string,
    commits: readonly Oid[],
    options?: FetchOptions,
  ): Promise<ReadonlySet<Oid>>;
  /**
   * Sends `commit` and what it needs into the git directory `inside`, as `ref` there, whatever that was before. `ref` must
   * not be checked out inside. Throws `transport-failed` (kind `unavailable`).
   */
  push(open: OpenPipe, inside: string, commit: Oid, ref: string): Promise<void>;
  /** The same for several references; where one of them is refused, others may be there. */
  pushAll(open: OpenPipe, inside: string, refs: readonly { readonly ref: string; readonly oid: Oid }[]): Promise<void>;
}
