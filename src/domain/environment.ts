/** The record of an environment, stored in git as `environment.json` at refs/coppice/<name>/record. */
import * as z from 'zod/mini';
import type { EnvironmentName } from './environment-name.ts';
import { networkSchema } from './network.ts';
import { isOid, type Oid } from './oid.ts';
import { holdLimits, limitsSchema, mergeRulesSchema, runtimeKinds } from './spec.ts';

/** A resolved spec: what the environment was really made with. */
export const resolvedSpecSchema = z.object({
  runtime: z.enum(runtimeKinds),
  image: z.nullable(z.string()),
  limits: limitsSchema,
  network: networkSchema,
  environment: z.record(z.string(), z.string()),
  root: z.boolean(),
  setup: z.nullable(z.string()),
  /** Absent where nothing is made anew. */
  merge: z.optional(mergeRulesSchema),
  /** Absent where there are none. */
  secrets: z.optional(z.record(z.string(), z.object({ from: z.string(), as: z.enum(['variable', 'file']) }))),
  mounts: z.optional(z.array(z.object({ source: z.string(), target: z.string(), readOnly: z.boolean() }))),
  /** Absent where the repository says nothing of what is held. */
  hold: z.optional(z.object({ allow: z.array(z.string()), ...holdLimits })),
});
export type ResolvedSpec = z.infer<typeof resolvedSpecSchema>;

const entrySchema = z.nullable(
  z.object({ mode: z.enum(['100644', '100755', '120000', '160000']), oid: z.string().check(z.refine(isOid)) }),
);
const oidSchema = z.pipe(
  z.string().check(z.refine(isOid)),
  z.transform((text) => text as Oid),
);

/** The conflict an environment was made for: what meets in it, and how the merge that is to be resolved began. */
export const conflictSchema = z.object({
  /** The environment whose work it is, when that was created (another may get its name), and where its branch was. */
  environment: z.string(),
  environmentCreatedAt: z.string(),
  tip: oidSchema,
  /** What it conflicts with: a branch by its full name, or another environment. */
  with: z.object({ kind: z.enum(['branch', 'environment']), name: z.string() }),
  /** Both, as commits: the result must contain them. */
  ours: oidSchema,
  theirs: oidSchema,
  /** What HEAD was when the merge began, and what is merged into it. */
  head: oidSchema,
  merging: oidSchema,
  /** The files as the merge left them. */
  left: oidSchema,
  message: z.string(),
  /** A commit that every environment may have: the base store gets this one only. */
  shared: oidSchema,
  /** `path` has a character for each byte. */
  files: z.array(
    z.object({ path: z.string(), kind: z.string(), base: entrySchema, ours: entrySchema, theirs: entrySchema }),
  ),
  /** Paths that were resolved as the same conflict was before. */
  remembered: z.array(z.string()),
});
export type ConflictRecord = z.infer<typeof conflictSchema>;

export const recordSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  title: z.nullable(z.string()),
  /** Full name of the branch the work is meant to go back to; null when none was checked out. */
  target: z.nullable(z.string()),
  /** Full name of the environment's branch. */
  branch: z.string(),
  /** ISO 8601. */
  createdAt: z.string(),
  /** `creating` until everything exists: a creating record whose creator is gone is rolled back. */
  stage: z.enum(['creating', 'setup-failed', 'ready']),
  /** The process that creates it, to tell an interrupted creation from one under way. */
  creator: z.object({ host: z.string(), pid: z.number(), started: z.string() }),
  /** Who the checkpoints and commits name as author, taken from the user's git configuration. */
  author: z.object({ name: z.string(), email: z.string() }),
  spec: resolvedSpecSchema,
  /** Only where the environment was made to resolve a conflict. */
  conflict: z.optional(conflictSchema),
});

/** `name` is parsed by the reader, so that it is the branded type everywhere else. */
export type EnvironmentRecord = Omit<z.infer<typeof recordSchema>, 'name'> & {
  readonly name: EnvironmentName;
};

/** One exec, stored as `execs/<day>/<id>/exec.json` beside its `output` in the record's tree. */
export const execRecordSchema = z.object({
  id: z.string(),
  command: z.array(z.string()),
  startedAt: z.string(),
  endedAt: z.string(),
  exit: z.number(),
  timedOut: z.boolean(),
  /** Bytes the command wrote; the stored output keeps the first and last 128 KiB. */
  outputBytes: z.number(),
});
export type ExecRecord = z.infer<typeof execRecordSchema>;
