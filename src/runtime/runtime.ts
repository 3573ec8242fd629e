/**
 * What runs containers. An adapter keeps no state of its own: everything it knows is in the engine, found by label.
 * All methods may run concurrently. Errors are CoppiceErrors of kind `unavailable` (`engine-unreachable`,
 * `image-not-found`, `disk-full`, `engine-error`), `not-found` (`container-not-found`) or `refused`; after an error
 * from `create` nothing is left behind.
 */
import type { Readable, Writable } from 'node:stream';
import type { Denials, Network } from '../domain/network.ts';
import type { Limits, RuntimeKind } from '../domain/spec.ts';

export interface RuntimeFacts {
  readonly kind: RuntimeKind;
  /** For people: `Docker Engine 28.2 at unix:///var/run/docker.sock`. */
  readonly description: string;
  /** Whether processes are kept away from the host's files. */
  readonly isolated: boolean;
  /** Whether images can be chosen. */
  readonly images: boolean;
}

export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** Where a runtime shows an environment's directories inside. */
export interface InsideLayout {
  readonly tree: string;
  readonly git: string;
  readonly base: string;
  readonly home: string;
  /** Whether the `.git` of the tree is replaced by a read-only mount. If not, the file on disk must lead to `git`. */
  readonly mountsGitFile: boolean;
}

export interface ContainerRequest {
  /** Unique in the engine; letters, digits, `-`, `_`, `.`. */
  readonly name: string;
  /** OCI reference; null where the runtime has no images. */
  readonly image: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly hostname: string;
  readonly mounts: readonly Mount[];
  readonly workdir: string;
  /** Who execs run as: the host user, so that files are the host user's. `home` is a path inside. */
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly name: string;
    readonly home: string;
  };
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Limits;
  /**
   * With an allowlist only what it lists is reached, by a gateway outside of the container: what runs inside, root
   * included, cannot go around it or change it. Throws `not-isolated` where that cannot be kept.
   */
  readonly network: Network;
  /** Whether `exec` may ask for root. */
  readonly root: boolean;
}

export type ContainerState = 'created' | 'running' | 'stopped' | 'failed';

export interface Container {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  readonly image: string | null;
  /** Since its last start the kernel has killed something in it for want of memory; it may run all the same. */
  readonly oomKilled: boolean;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: the container's. */
  readonly workdir?: string;
  readonly root?: boolean;
  /** Whether stdin is joined; otherwise it is empty. */
  readonly stdin?: boolean;
  /** A terminal of this size: stdout carries everything, stderr nothing. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  /** After that the whole process tree inside is ended and `timedOut` is true. */
  readonly timeoutSeconds?: number;
  /** Aborting ends the whole process tree inside. */
  readonly signal?: AbortSignal;
}

export interface ExecEnd {
  /** The command's own status; 128 + n for a signal; 124 when it timed out; 126/127 when it could not be started. */
  readonly status: number;
  readonly timedOut: boolean;
  /** Set when the command never ran: `not-found`, `not-executable`, `bad-workdir`. */
  readonly failedToStart: string | undefined;
  /** The kernel killed something in the container for want of memory while it ran; only said of a status other than 0. */
  readonly oomKilled: boolean;
}

export interface Execution {
  readonly stdin: Writable | undefined;
  /** Both end when the command has ended, even if a background child still holds them open. Respect back-pressure. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly end: Promise<ExecEnd>;
  resize(size: { readonly rows: number; readonly columns: number }): Promise<void>;
  /** Delivers a signal to the command and its process group. */
  signal(name: NodeJS.Signals): Promise<void>;
}

export interface Progress {
  readonly message: string;
  /** Between 0 and 1 where it is known. */
  readonly fraction?: number;
}

export interface Runtime {
  readonly kind: RuntimeKind;
  /** Whether it answers, and what it is. Throws `engine-unreachable` with what was tried. */
  probe(): Promise<RuntimeFacts>;
  layout(host: {
    readonly tree: string;
    readonly git: string;
    readonly base: string;
    readonly home: string;
  }): Promise<InsideLayout>;
  /** Makes sure the image is there, pulling it if need be. Throws `image-not-found`. */
  prepareImage(reference: string, report: (progress: Progress) => void, signal?: AbortSignal): Promise<void>;
  create(request: ContainerRequest): Promise<Container>;
  start(id: string): Promise<void>;
  /** Ends every process inside; the files stay. Stopping what is stopped is no error. */
  stop(id: string): Promise<void>;
  /** Forced, with its anonymous volumes. Removing what is gone is no error. */
  remove(id: string): Promise<void>;
  /**
   * Changes what a container made with an allowlist may reach, at once and for good; connections may be cut. Nothing
   * happens where it is so already. The container need not run.
   */
  allow(id: string, hosts: readonly string[]): Promise<void>;
  /** What was asked for and not let through, since it was started. Nothing where there is no allowlist. */
  denied(id: string): Promise<Denials>;
  /** Removes what stood beside containers with these labels that are gone, such as their gateway. Call it after `remove`. */
  sweep(labels: Readonly<Record<string, string>>): Promise<void>;
  /** Everything of ours with all of these labels, in any state. Fast: no vendor library is loaded for it. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly Container[]>;
  exec(id: string, request: ExecRequest): Promise<Execution>;
  close(): Promise<void>;
}

export const labels = {
  /** Version of the label schema: `1`. */
  tool: 'dev.coppice',
  repository: 'dev.coppice.repository',
  environment: 'dev.coppice.environment',
  /** Which data directory it belongs to: two installations on one engine never touch each other's containers. */
  installation: 'dev.coppice.installation',
  /** The mode of the network it was made with. */
  network: 'dev.coppice.network',
} as const;
