/**
 * Where pull requests are: what coppice asks of a forge, the same for each. GitLab's merge requests are called pull
 * requests here.
 *
 * All methods may run concurrently. They only read. What cannot be had throws a CoppiceError of kind `unavailable`
 * (`forge-unreachable`, `forge-timeout`, `forge-rate-limited`, `forge-failed`, `forge-answer`, `forge-redirect`), `refused`
 * (`forge-unauthorized`, `forge-forbidden`, `forge-insecure`) or `not-found` (`forge-not-found`); then nothing was learnt
 * and nothing may be decided.
 */
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';

export const forgeKinds = ['github', 'gitlab', 'gitea'] as const;
export type ForgeKind = (typeof forgeKinds)[number];

export interface PullRequest {
  readonly number: number;
  /** As people write it: `#12`, on GitLab `!12`. */
  readonly reference: string;
  /** For a browser. */
  readonly url: string;
  readonly title: string;
  readonly state: 'open' | 'closed' | 'merged';
  /** What it proposes; once merged, what was merged, wherever the branch has gone since. Undefined where the forge cannot say. */
  readonly head: Oid | undefined;
  /** The branch it is from, by its short name. */
  readonly branch: string;
  /** The branch it is for, by its short name. */
  readonly base: string;
  /** What the base branch got when it was merged: a merge, a squash, or the last of the rebased commits; undefined where nothing new was made. */
  readonly mergeCommit: Oid | undefined;
}

export interface PullRequestQuery {
  /** Short names that the branch may have there. */
  readonly branches: readonly string[];
  /** Whose forks it may be in; the project's own owner always counts. */
  readonly owners: readonly string[];
  /** What it may contain, whatever its branch is called. Not every forge can look for that. */
  readonly commit: Oid;
}

export interface Forge {
  readonly kind: ForgeKind;
  /** For people: `github.com/team/project`. */
  readonly name: string;
  /** Newest first, in any state, for any base. Of very many (a thousand and more) the oldest are left out. */
  findPullRequests(query: PullRequestQuery): Promise<readonly PullRequest[]>;
  /** The commits it has, without those of its base, as far as the forge lists them. */
  commitsOf(number: number): Promise<readonly Oid[]>;
}

/** A forge as seen from one branch of the user's repository. */
export interface BranchForge {
  readonly forge: Forge;
  /** What the branch is called there. */
  readonly base: string;
  /** Under which names and in whose forks a branch of the user's may be there. */
  headsOf(branch: RefName, tip: Oid): Promise<Pick<PullRequestQuery, 'branches' | 'owners'>>;
}

export interface Forges {
  /**
   * The forge of the branch's upstream remote, or of the only remote there is. Reads git configuration, asks nobody.
   * `none`: there is none, and why, where somebody may want to know. Throws `bad-forge-setting` (kind `usage`).
   */
  of(branch: RefName, signal: AbortSignal): Promise<BranchForge | { readonly none: string | null }>;
}
