/** What the user has approved of this machine's being given to environments of this repository. `config` keeps it. */

/** The file in the repository, or the record of one environment. */
export type Subject = 'repository' | `environment ${string}`;

export interface Approval {
  readonly subject: Subject;
  /** What was shown, word for word; the approval is for exactly this. */
  readonly lines: readonly string[];
  /** ISO 8601. */
  readonly approvedAt: string;
}

/** Kept in the user's state directory, for the repository at this path. Throws `approvals-broken` (kind `refused`). */
export interface Approvals {
  /** The latest last. */
  list(): Promise<readonly Approval[]>;
  add(subject: Subject, lines: readonly string[]): Promise<void>;
  /** Those that are withdrawn. */
  withdraw(which: (approval: Approval) => boolean): Promise<readonly Approval[]>;
}
