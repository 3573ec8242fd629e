/** A repository opened with everything the operations need around it. `open.ts` makes it; operations see interfaces only. */
import type { BytePath } from '../domain/byte-path.ts';
import type { Cause } from '../domain/checkpoint.ts';
import type { EnvironmentDirectories } from '../domain/directories.ts';
import type { ResolvedSpec } from '../domain/environment.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import type { HostRequest } from '../domain/host-access.ts';
import type { Network } from '../domain/network.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { SecretReference } from '../domain/secret-reference.ts';
import type { HoldRules, RuntimeKind, Spec } from '../domain/spec.ts';
import type { Forges } from '../forge/forge.ts';
import type { Checkpointer, CheckpointResult } from '../git/checkpointer.ts';
import type { LeakSearch } from '../git/leaks.ts';
import type { Merging } from '../git/merging.ts';
import type { Identity, Repository, Sieve } from '../git/repository.ts';
import type { Transport } from '../git/transport.ts';
import type { Worktrees } from '../git/worktree.ts';
import type { Surroundings } from '../platform/surroundings.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Approvals } from './access/approvals.ts';

/** Narration of a longer step, one line. */
export type Report = (message: string) => void;

export interface CheckpointerFor {
  readonly name: EnvironmentName;
  readonly branch: RefName;
  readonly directories: EnvironmentDirectories;
  readonly author: Identity;
  /** What the repository says of what is held; the user's own settings go before it. */
  readonly hold: HoldRules;
  /** A submodule's directory instead of the whole tree. */
  readonly submodule?: {
    readonly path: BytePath;
    readonly slug: string;
    /** `first`: nothing of it is recorded yet. `pristine`: nor can anybody have changed it. */
    readonly state: 'first' | 'pristine' | 'known';
  };
}

/** Reading what an agent's own git directory says, as data. */
export interface AgentGit {
  /** Changes when HEAD, a branch or the stash inside may have moved. */
  readHeadHint(gitDirectory: string): Promise<string | undefined>;
  hasStash(gitDirectory: string): Promise<boolean>;
  operationInProgress(gitDirectory: string): Promise<string | undefined>;
}

export interface DaemonFacts {
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  readonly environments: readonly WatchedFacts[];
}

export interface WatchedFacts {
  /** The repository's id. */
  readonly repository: string;
  readonly name: string;
  /** `polling`: events are incomplete or impossible there, and why. */
  readonly watch: 'events' | 'polling';
  readonly reason: string | null;
  readonly lastError: string | null;
}

export interface AskedCheckpoint {
  /** See `watchKeyOf`. */
  readonly key: string;
  readonly name: EnvironmentName;
  readonly cause: Cause;
  readonly execs: readonly string[];
  /** Only what file events have announced, instead of a look at everything. */
  readonly announcedOnly: boolean;
}

/** The daemon as operations use it: an accelerator that may be absent. Nothing here throws for its absence. */
export interface DaemonPort {
  /** Starts it when it is not running (and allowed), and tells it to look at this environment now. */
  notice(repository: Pick<Repository, 'commonDirectory'>, name: EnvironmentName): Promise<void>;
  /** Makes it let go of an environment before its files go; resolves when nothing of it runs there any more. */
  leave(repository: Pick<Repository, 'commonDirectory'>, name: EnvironmentName): Promise<void>;
  /**
   * A checkpoint made by the daemon, which knows the files already: it looks at all of them all the same. undefined: it
   * does not watch that environment, or by other settings; make it yourself.
   */
  checkpoint(
    repository: Pick<Repository, 'commonDirectory'>,
    request: AskedCheckpoint,
  ): Promise<Pick<CheckpointResult, 'checkpoint' | 'held' | 'submodules' | 'unsettled'> | undefined>;
  /** undefined when none is running. */
  facts(): Promise<DaemonFacts | undefined>;
  /** Starts it if need be. Throws `daemon-not-answering`, `daemon-off`. */
  start(): Promise<DaemonFacts>;
  /** False when none was running. */
  stop(): Promise<boolean>;
  /** Is the daemon, until it is told to end. */
  serve(signal: AbortSignal): Promise<'ended' | 'already-running'>;
  /** What happens in all environments from now on. Starts it if need be. */
  events(signal: AbortSignal): AsyncIterable<Readonly<Record<string, unknown>>>;
}

export interface Settings {
  readonly branchPrefix: string;
}

export interface Workplace {
  readonly surroundings: Surroundings;
  readonly repository: Repository;
  readonly merging: Merging;
  readonly leaks: LeakSearch;
  readonly worktrees: Worktrees;
  readonly transport: Transport;
  readonly agentGit: AgentGit;
  readonly forges: Forges;
  readonly daemon: DaemonPort;
  readonly settings: Settings;
  /** Which data directory on which host: two installations on one engine never touch each other's containers. */
  readonly installation: string;
  now(): Date;
  /** The runtime of an existing environment. */
  runtime(kind: RuntimeKind): Promise<Runtime>;
  /** What of a network somebody else may have written the user's settings give, and in words what they do not. */
  boundNetwork(wanted: Network): { readonly network: Network; readonly leftOut: readonly string[] };
  /**
   * What to make a new environment of: flags, then the commit's `.coppice/environment.json`, then the user's settings;
   * docker where an engine answers and nobody asked for anything else.
   */
  planSpec(
    flags: Spec,
    file: Buffer | undefined,
    report: Report,
  ): Promise<{
    readonly spec: ResolvedSpec;
    readonly runtime: Runtime;
    /** What the repository's file asks for of the machine: not to be given before it is approved. */
    readonly asked: HostRequest;
  }>;
  /** The check command that a repository's file asks for. */
  checkOf(file: Buffer | undefined): string | undefined;
  /** What such a file asks for of the machine. Throws `bad-environment-file`. */
  hostRequestIn(file: Buffer | undefined): HostRequest;
  /** What the user lets environments of this repository have of the machine. */
  readonly approvals: Approvals;
  /** The value, had on the host. Throws `secret-unresolved` (kind `unavailable`), which never tells the value. */
  resolveSecret(name: string, reference: SecretReference): Promise<Buffer>;
  /** From then on every process holds back files with one of these values: only fingerprints are kept. */
  rememberSecrets(values: readonly Buffer[]): Promise<void>;
  /** Hides values that were given in the name of a host that was denied. */
  hostMask(): Promise<(host: string) => string>;
  /** An image made from this machine's own programs, for the engine that answers; its reference. */
  buildBaseImage(report: Report): Promise<string>;
  /** What of the user's uncommitted changes stays behind. */
  sieve(hold: HoldRules): Promise<Sieve>;
  openCheckpointer(request: CheckpointerFor): Promise<Checkpointer>;
  /** Changes with whatever the settings say about what a checkpointer holds. */
  holdKey(request: CheckpointerFor): string;
  /** Fills the stat cache of a tree that was checked out from `tip` a moment ago and that nobody can have changed. */
  seedStatCache(request: CheckpointerFor): Promise<void>;
  /** Joins the many small packs of checkpoints into few; nothing to do most of the time. Never on the path of a checkpoint. */
  housekeep(): Promise<void>;
  /** One file of an environment, read without following links; undefined when it is no readable file. */
  readTreeFile(tree: string, path: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
}
