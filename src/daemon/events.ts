/** What the daemon tells those who subscribe: one JSON object a line. */
import * as z from 'zod/mini';

const about = {
  /** The repository's id (see domain/directories.ts). */
  repository: z.string(),
  name: z.string(),
  /** ISO 8601. */
  at: z.string(),
};

export const heldSchema = z.object({ path: z.string(), reason: z.string(), detail: z.string() });
export type HeldPath = z.infer<typeof heldSchema>;

export const watchModeSchema = z.enum(['events', 'polling']);
export type WatchMode = z.infer<typeof watchModeSchema>;

export const eventSchema = z.discriminatedUnion('type', [
  z.object({
    ...about,
    type: z.literal('checkpoint'),
    oid: z.string(),
    subject: z.string(),
    cause: z.string(),
    /** How many paths changed; `changes` lists the first of them. */
    changed: z.number(),
    changes: z.array(z.object({ path: z.string(), kind: z.enum(['added', 'modified', 'deleted']) })),
  }),
  z.object({ ...about, type: z.literal('commit'), oid: z.string(), subject: z.string() }),
  z.object({
    ...about,
    type: z.literal('state'),
    state: z.enum(['watched', 'unwatched']),
    watch: watchModeSchema,
    /** Why it polls. */
    reason: z.nullable(z.string()),
  }),
  /** Everything held now; sent when that changes. */
  z.object({ ...about, type: z.literal('held'), held: z.array(heldSchema) }),
  /** Merging `name` into `with` conflicts now, or in other files than before, or no longer. */
  z.object({
    ...about,
    type: z.literal('conflict'),
    state: z.enum(['begun', 'changed', 'ended']),
    with: z.object({ kind: z.enum(['environment', 'target']), name: z.string() }),
    /** How many files; `files` lists the first of them. */
    conflicting: z.number(),
    files: z.array(z.object({ path: z.string(), kind: z.string() })),
  }),
  z.object({ ...about, type: z.literal('error'), code: z.string(), message: z.string() }),
]);

export type DaemonEvent = z.infer<typeof eventSchema>;

/** An event before it is known which environment it is about, and when. */
export type Happening = DaemonEvent extends infer Event
  ? Event extends DaemonEvent
    ? Omit<Event, 'repository' | 'name' | 'at'>
    : never
  : never;
