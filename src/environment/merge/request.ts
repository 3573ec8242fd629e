/** What a merge is asked for and what came of it. */
import type { Held } from '../../domain/change.ts';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { RunsElsewhere } from '../../domain/runs-elsewhere.ts';
import type { Environment } from '../environment.ts';
import type { HooksRun } from './hooks.ts';
import type { InsideMemory, ResolvedInside } from './inside.ts';
import type { Selection } from './part.ts';

export type Strategy = 'merge' | 'squash' | 'rebase' | 'ff-only';

export interface MergeRequest {
  readonly into: RefName;
  readonly strategy: Strategy;
  readonly message: string | undefined;
  /** Conflict markers in the work are no reason to refuse. */
  readonly allowMarkers: boolean;
  /** Neither is what looks like a secret in the agent's own commits. */
  readonly allowSecrets: boolean;
  /** Leaves out the repository's hooks. */
  readonly noVerify?: boolean;
  /** Conflicts that were resolved before are resolved so again. */
  readonly useResolutions?: boolean;
  /** What was resolved inside before the environment's tail became a commit. */
  readonly memory?: InsideMemory;
  /** Only this; the rest stays. Not with `ff-only`. */
  readonly selection?: Selection;
  /** Told, before anything moves, what will run on the host or in CI after the merge; may throw. */
  readonly onRuns?: (runs: readonly RunsElsewhere[]) => void;
}

export interface Merged {
  readonly environment: Environment;
  readonly into: RefName;
  readonly before: Oid | null;
  readonly after: Oid;
  readonly kind: 'merge' | 'squash' | 'rebase' | 'fast-forward' | 'nothing-to-do';
  /** The checkout that was brought along, when the branch is checked out. */
  readonly worktree: string | null;
  /** What was not merged because it is held. */
  readonly held: readonly Held[];
  readonly hooks: Omit<HooksRun, 'message'>;
  /** Conflicts that a merge driver or the spec's commands resolved. */
  readonly resolved: readonly ResolvedInside[];
}
