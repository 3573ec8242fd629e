/**
 * How often the kernel killed something in a container for want of memory. The engine says so only of a container whose
 * first process was killed, and ours outlives what runs in it: so the kernel's own count is read, where the engine's
 * containers are processes of this machine.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { hasCode } from '../../domain/error.ts';
import { errnoOf } from '../../platform/errno.ts';
import { oomKillsIn } from '../oom-kills.ts';
import type { Engine } from './engine.ts';

const stateSchema = z.object({
  Id: z.string(),
  State: z.object({ OOMKilled: z.optional(z.boolean()), Pid: z.optional(z.number()) }),
});

const mountPoint = '/sys/fs/cgroup';

/** 0 as well where nobody can tell; undefined when the container has gone. */
export async function oomKills(engine: Engine, id: string): Promise<number | undefined> {
  try {
    const doing = { failed: 'Containers could not be listed', missing: 'container-not-found', subject: id } as const;
    const { Id, State } = stateSchema.parse(await engine.get(`/containers/${id}/json`, doing));
    const told = State.OOMKilled === true ? 1 : 0;
    const local = (await engine.client()).endpoint.way.kind === 'socket';
    // What the engine says of a running container may be about the time before its last start.
    return (local && State.Pid ? await countedBy(State.Pid, Id) : undefined) ?? told;
  } catch (error) {
    if (hasCode(error, 'container-not-found')) return undefined;
    throw error;
  }
}

/** The groups of its first process lead to the files. An engine in a machine of its own has other process ids. */
async function countedBy(pid: number, id: string): Promise<number | undefined> {
  const groups = (await readIfThere(`/proc/${pid}/cgroup`)) ?? '';
  for (const line of groups.split('\n')) {
    const [, controllers = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (!path.includes(id)) continue;
    const file =
      controllers === ''
        ? join(mountPoint, path, 'memory.events')
        : controllers.split(',').includes('memory')
          ? join(mountPoint, 'memory', path, 'memory.oom_control')
          : undefined;
    const text = file === undefined ? undefined : await readIfThere(file);
    if (text !== undefined) return oomKillsIn(text);
  }
  return undefined;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
