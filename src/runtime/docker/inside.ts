/** What execs must know of a container. Written at its creation as a label, so that any process can read it back. */
import type Docker from 'dockerode';
import * as z from 'zod/mini';
import { CoppiceError } from '../../domain/error.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import { addressesSchema } from './private-network.ts';

/** JSON of `Settings`. */
export const settingsLabel = 'dev.coppice.docker';

const settingsSchema = z.object({
  uid: z.number(),
  gid: z.number(),
  home: z.string(),
  root: z.boolean(),
  /** What each command runs under: tini as a subreaper, or nothing. */
  guard: z.array(z.string()),
  /** Of its own network; only with an allowlist. */
  addresses: z.optional(addressesSchema),
});
export type Settings = z.infer<typeof settingsSchema>;

export interface Inside extends Settings {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What to say when a call about this container fails. */
  readonly doing: { readonly missing: 'container-not-found'; readonly subject: string };
}

const inspectSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  Config: z.object({ Labels: z.nullable(z.record(z.string(), z.string())) }),
});

export async function readInside(engine: Engine, id: string): Promise<Inside> {
  const doing = { missing: 'container-not-found' as const, subject: id };
  const said = await engine.get(`/containers/${encodeURIComponent(id)}/json`, {
    failed: `The container ${id} could not be looked at`,
    ...doing,
  });
  const { Id, Name, Config } = inspectSchema.parse(said);
  const label = Config.Labels?.[settingsLabel];
  if (label === undefined) {
    throw new CoppiceError('refused', 'foreign-container', `The container ${id} was not made by coppice.`);
  }
  const { [settingsLabel]: _, ...labels } = Config.Labels ?? {};
  return { ...settingsSchema.parse(JSON.parse(label)), id: Id, name: Name.replace(/^\//, ''), labels, doing };
}

const runningSchema = z.object({ State: z.object({ Running: z.boolean() }) });

export async function isRunning(engine: Engine, id: string): Promise<boolean> {
  const doing = { failed: `The container ${id} could not be looked at`, subject: id } as const;
  const said = await engine.get(`/containers/${id}/json`, { ...doing, missing: 'container-not-found' });
  return runningSchema.parse(said).State.Running;
}

export function whoIs(inside: Inside, root: boolean): { user: string; home: string } {
  if (!root) return { user: `${inside.uid}:${inside.gid}`, home: inside.home };
  if (inside.root) return { user: '0:0', home: '/root' };
  throw new CoppiceError('refused', 'root-not-allowed', `The container ${inside.name} was made without root.`, {
    hint: 'Allow root in the spec ("root": true) and make the environment anew.',
  });
}

const execSchema = z.object({
  Running: z.boolean(),
  ExitCode: z.nullable(z.number()),
  Pid: z.optional(z.number()),
});

export interface ExecState {
  readonly ended: boolean;
  /** Its process was there: otherwise an end is the engine's, and so is what it wrote. */
  readonly started: boolean;
  readonly status: number;
}

/** With its container an exec is gone as if killed. */
export function execState(engine: Engine, exec: Docker.Exec): Promise<ExecState> {
  return engine.call({ failed: 'The command could not be watched' }, 30, async (_, abortSignal) => {
    try {
      const said: unknown = await exec.inspect(abortSignal === undefined ? {} : { abortSignal });
      const { Running, ExitCode, Pid } = execSchema.parse(said);
      return { ended: !Running && ExitCode !== null, started: Boolean(Pid), status: ExitCode ?? 0 };
    } catch (error) {
      if (statusOf(error) === 404) return { ended: true, started: true, status: 137 };
      throw error;
    }
  });
}
