/** A repository opened with everything the operations need around it. `open.ts` makes it; operations see interfaces only. */
import type { EnvironmentDirectories } from '../domain/directories.ts';
import type { ResolvedSpec } from '../domain/environment.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { RuntimeKind, Spec } from '../domain/spec.ts';
import type { Checkpointer } from '../git/checkpointer.ts';
import type { Merging } from '../git/merging.ts';
import type { Identity, Repository } from '../git/repository.ts';
import type { Transport } from '../git/transport.ts';
import type { Worktrees } from '../git/worktree.ts';
import type { Surroundings } from '../platform/surroundings.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Narration of a longer step, one line. */
export type Report = (message: string) => void;

export interface CheckpointerFor {
  readonly name: EnvironmentName;
  readonly branch: RefName;
  readonly directories: EnvironmentDirectories;
  readonly author: Identity;
}

/** Reading what an agent's own git directory says, as data. */
export interface AgentGit {
  /** Changes when HEAD or a branch inside may have moved. */
  readHeadHint(gitDirectory: string): Promise<string | undefined>;
  operationInProgress(gitDirectory: string): Promise<string | undefined>;
}

/** The daemon as operations use it: an accelerator that may be absent. */
export interface DaemonPort {
  /** Starts it when it is not running (and allowed), and tells it to look again. Never throws: without it all is slower. */
  notice(commonDirectory: string): Promise<void>;
  /** Whether one is running now. */
  running(): Promise<boolean>;
}

export interface Settings {
  readonly branchPrefix: string;
  readonly spec: Spec;
}

export interface Workplace {
  readonly surroundings: Surroundings;
  readonly repository: Repository;
  readonly merging: Merging;
  readonly worktrees: Worktrees;
  readonly transport: Transport;
  readonly agentGit: AgentGit;
  readonly daemon: DaemonPort;
  readonly settings: Settings;
  /** Which data directory on which host: two installations on one engine never touch each other's containers. */
  readonly installation: string;
  now(): Date;
  /** The runtime of an existing environment. */
  runtime(kind: RuntimeKind): Promise<Runtime>;
  /** docker where an engine answers, else the sandbox; throws `engine-unreachable` if docker was asked for. */
  chooseRuntime(asked: RuntimeKind | undefined): Promise<Runtime>;
  /** What to make a new environment of: flags, then the commit's `.coppice/environment.json`, then the user's settings. */
  resolveSpec(flags: Spec, file: Buffer | undefined, runtime: RuntimeKind): ResolvedSpec;
  openCheckpointer(request: CheckpointerFor): Promise<Checkpointer>;
  /** Fills the stat cache of a tree that was checked out from `tip` a moment ago and that nobody can have changed. */
  seedStatCache(request: CheckpointerFor): Promise<void>;
  /** One file of an environment, read without following links; undefined when it is no readable file. */
  readTreeFile(tree: string, path: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
}
