/** The engine's containers as ours. Plain HTTP only: `coppice list` must be quick. */
import * as z from 'zod/mini';
import { type Container, type ContainerState, labels as known } from '../runtime.ts';
import type { Engine } from './engine.ts';
import { roleLabel } from './gateway.ts';

const summarySchema = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()),
    Image: z.string(),
    Labels: z.nullable(z.record(z.string(), z.string())),
    State: z.string(),
  }),
);
const stateSchema = z.object({
  State: z.object({ OOMKilled: z.optional(z.boolean()), Dead: z.optional(z.boolean()) }),
});

/** Environments' containers; what stands beside them is not among them. */
export async function listContainers(
  engine: Engine,
  labels: Readonly<Record<string, string>>,
): Promise<readonly Container[]> {
  const found = (await listed(engine, labels)).filter((each) => each.labels[roleLabel] === undefined);
  const complete = await Promise.all(
    found.map(async (each): Promise<Container | undefined> => {
      const oomKilled = each.state === 'stopped' ? await wasOomKilled(engine, each.id) : false;
      return oomKilled === undefined ? undefined : { ...each, state: oomKilled ? 'failed' : each.state, oomKilled };
    }),
  );
  return complete.filter((each) => each !== undefined);
}

/** All with these labels, gateways included. */
export async function listed(
  engine: Engine,
  labels: Readonly<Record<string, string>>,
): Promise<readonly Omit<Container, 'oomKilled'>[]> {
  const said = await engine.get(`/containers/json?all=1&filters=${filtersOf(labels)}`, {
    failed: 'Containers could not be listed',
  });
  return summarySchema.parse(said).map((each) => ({
    id: each.Id,
    name: (each.Names[0] ?? '').replace(/^\//, ''),
    labels: each.Labels ?? {},
    state: stateOf(each.State),
    image: each.Image,
  }));
}

/** Of ours, with all of these labels: as the engine's API wants to hear it. */
export function filtersOf(labels: Readonly<Record<string, string>>): string {
  const wanted = Object.entries({ ...labels, [known.tool]: '1' }).map(([name, value]) => `${name}=${value}`);
  return encodeURIComponent(JSON.stringify({ label: wanted }));
}

/** The summary does not say it. Undefined when the container has gone meanwhile. */
async function wasOomKilled(engine: Engine, id: string): Promise<boolean | undefined> {
  try {
    const doing = { failed: 'Containers could not be listed', missing: 'container-not-found', subject: id } as const;
    return stateSchema.parse(await engine.get(`/containers/${id}/json`, doing)).State.OOMKilled ?? false;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'container-not-found') return undefined;
    throw error;
  }
}

/** Docker's states (API, "ContainerState"), and Podman's `configured`, `initialized`, `stopped`. */
function stateOf(said: string): ContainerState {
  if (said === 'running' || said === 'paused' || said === 'restarting') return 'running';
  if (said === 'created' || said === 'configured' || said === 'initialized') return 'created';
  return said === 'dead' ? 'failed' : 'stopped';
}
