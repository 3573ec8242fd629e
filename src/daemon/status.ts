/** What the daemon says about itself and about each environment it watches. */
import * as z from 'zod/mini';
import { watchModeSchema } from './events.ts';

export const errorStatusSchema = z.object({
  code: z.string(),
  message: z.string(),
  at: z.string(),
  /** Failures in a row. */
  failures: z.number(),
});
export type ErrorStatus = z.infer<typeof errorStatusSchema>;

export const environmentStatusSchema = z.object({
  repository: z.string(),
  name: z.string(),
  /** `failing`: the last attempt failed, the next waits. */
  state: z.enum(['starting', 'watching', 'failing']),
  watch: watchModeSchema,
  /** Why it polls. */
  reason: z.nullable(z.string()),
  /** Directories watched now. */
  directories: z.number(),
  lastCheckpoint: z.nullable(z.object({ oid: z.string(), at: z.string() })),
  /** How long the last full scan took. */
  scanMilliseconds: z.nullable(z.number()),
  held: z.number(),
  /** Changes that scans found and no event had announced. */
  missed: z.number(),
  /** How often the watch was made anew. */
  rebuilds: z.number(),
  lastError: z.nullable(errorStatusSchema),
});
export type EnvironmentStatus = z.infer<typeof environmentStatusSchema>;

export const buildSchema = z.object({ version: z.string(), protocol: z.number(), stamp: z.number() });
/** Which coppice a process runs. `stamp` tells two builds of one version apart: milliseconds since 1970. */
export type Build = z.infer<typeof buildSchema>;

export const daemonStatusSchema = z.object({
  pid: z.number(),
  build: buildSchema,
  startedAt: z.string(),
  environments: z.array(environmentStatusSchema),
  /** Why the list of environments could not be read, when it could not. */
  lastError: z.nullable(z.string()),
});
export type DaemonStatus = z.infer<typeof daemonStatusSchema>;

export const pongSchema = z.object({ pid: z.number(), build: buildSchema });
export type Pong = z.infer<typeof pongSchema>;
