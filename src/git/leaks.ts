/**
 * Looks for secrets in commits that are made already. A checkpoint leaves out what looks like one; a commit that an agent
 * makes with git has its name and cannot be changed, so it is brought in as it is and what is in it is told: in its files,
 * its message, and the names it was made under.
 */
import type { BytePath } from '../domain/byte-path.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';

export interface Leak {
  readonly commit: Oid;
  /** undefined: in no file, but in the commit itself: its message, or who made it. */
  readonly path: BytePath | undefined;
  /** One clause for people, without the value: `looks like a GitHub token (line 3)`. */
  readonly detail: string;
}

/** One that the environment's own commits do not have. */
export interface LeakElsewhere extends Leak {
  /** What keeps the commit: another branch made inside, a stash, or what a rewrite left behind. undefined where it was one too many to ask for. */
  readonly ref: RefName | undefined;
}

export interface CommitSearch {
  /** Whose commits: what was found in each is remembered with its caches. */
  readonly name: EnvironmentName;
  readonly head: Oid;
  /** Commits to leave out with all that they reach, on top of what the user's own branches, remote branches and tags do. */
  readonly without: readonly Oid[];
  /** Patterns as in .gitignore: paths that may have what looks like a secret. */
  readonly allow: readonly string[];
}

export interface RefSearch {
  readonly name: EnvironmentName;
  /** References below these are searched; checkpoints are not, which were when they were made. */
  readonly prefixes: readonly string[];
  readonly without: readonly Oid[];
  readonly allow: readonly string[];
}

export interface ChangeSearch {
  readonly before: Oid;
  readonly after: Oid;
  readonly allow: readonly string[];
}

export interface LeakSearch {
  /** Oldest commit first. What a parent has already does not count, nor does what the user's own references reach. */
  inCommits(search: CommitSearch): Promise<readonly Leak[]>;
  /** The same below some references. */
  inRefs(search: RefSearch): Promise<readonly LeakElsewhere[]>;
  /** What `after` has and `before` has not, whatever commits lie between; told of `after`. */
  inChanges(search: ChangeSearch): Promise<readonly Leak[]>;
  /** Whether a text has what looks like one. */
  inText(text: string): Promise<boolean>;
}
