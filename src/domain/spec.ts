/** What an environment is made of. Written in `.coppice/environment.json`, in user settings, or on the command line. */
import * as z from 'zod/mini';
import { networkWishSchema } from './network.ts';
import { isSecretName, isSecretReference, referenceForms } from './secret-reference.ts';

export const runtimeKinds = ['docker', 'sandbox'] as const;
export type RuntimeKind = (typeof runtimeKinds)[number];

/** As an image: one made from this machine's own programs (git, node, a shell), without any registry. */
export const machineImage = 'machine';

const positive = z.number().check(z.positive());

export const limitsSchema = z.strictObject({
  /** Bytes. */
  memory: z.optional(positive),
  /** Processors, fractions allowed. */
  cpus: z.optional(positive),
  /** Processes and threads. */
  pids: z.optional(z.int().check(z.positive())),
});
export type Limits = z.infer<typeof limitsSchema>;

const count = z.int().check(z.positive());

/** Above these a changed path is held: not checkpointed, but reported. */
export const holdLimits = {
  fileBytes: z.optional(count),
  checkpointBytes: z.optional(count),
  checkpointFiles: z.optional(count),
  /** Of one file whose content Git LFS stores. */
  lfsBytes: z.optional(count),
};
export type HoldRules = { readonly allow: readonly string[] } & {
  readonly [Key in keyof typeof holdLimits]?: number | undefined;
};

export const allowSchema = z.array(z.string().check(z.minLength(1)));

export const mergeRulesSchema = z.strictObject({
  /**
   * Patterns as in .gitignore, and for each the shell command that makes a file anew when it conflicts, such as a lock
   * file. It runs in the container, at the top of a throw-away worktree of the merge, where the file is the branch's version.
   */
  regenerate: z.optional(z.record(z.string().check(z.minLength(1)), z.string().check(z.minLength(1)))),
});

const reference = z.string().check(z.refine(isSecretReference, { error: `must be ${referenceForms}` }));

/** By the name of the environment variable. `as: file`: the variable is the path of a file with the value. */
export const secretsSchema = z.record(
  z.string().check(z.refine(isSecretName, { error: 'is no name for a secret: letters, digits and _ only' })),
  z.union([reference, z.strictObject({ from: reference, as: z.optional(z.enum(['variable', 'file'])) })], {
    error: `must be a reference, never a value: ${referenceForms}`,
  }),
);

/** Where nothing of the host can appear: the workspace, coppice's own directories, the kernel's. */
const ownTarget = /^\/(?:$|(?:workspace|coppice|proc|sys|dev)(?:\/|$))/;

function isMountTarget(path: string): boolean {
  return /^(?:\/(?!\.{0,2}(?:\/|$))[^/\0]+)+$/.test(path) && !ownTarget.test(path);
}

export const mountSchema = z.strictObject({
  /** A path of the host: absolute, `~/…`, or relative to the top of the repository. */
  source: z.string().check(z.minLength(1)),
  /** Inside. */
  target: z.string().check(
    z.refine(isMountTarget, {
      error: 'must be an absolute path outside /workspace, /coppice, /proc, /sys and /dev',
    }),
  ),
  /** Default true. */
  readOnly: z.optional(z.boolean()),
});

export const specSchema = z.strictObject({
  /** OCI image reference. */
  image: z.optional(z.string().check(z.minLength(1))),
  runtime: z.optional(z.enum(runtimeKinds)),
  limits: z.optional(limitsSchema),
  network: z.optional(networkWishSchema),
  /** Environment variables of every exec. Not for secrets: they are stored in git. */
  environment: z.optional(z.record(z.string(), z.string())),
  /** Given to each exec; what is stored is where the value is had from. */
  secrets: z.optional(secretsSchema),
  /** Files and directories of the host. */
  mounts: z.optional(z.array(mountSchema)),
  /** Whether `exec --root` is allowed. */
  root: z.optional(z.boolean()),
  /** Shell command run once after creation, in the workspace. */
  setup: z.optional(z.string().check(z.minLength(1))),
  merge: z.optional(mergeRulesSchema),
  /** Shell command that tells whether a state of the project is good: `land` runs it on each result it wants to land. */
  check: z.optional(z.string().check(z.minLength(1))),
  hold: z.optional(
    z.strictObject({
      /** Patterns as in .gitignore: paths whose content may look like a secret, such as test keys. */
      allow: z.optional(allowSchema),
      ...holdLimits,
    }),
  ),
});
export type Spec = z.infer<typeof specSchema>;
