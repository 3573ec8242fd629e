/** The engine's containers as ours. Plain HTTP only: `coppice list` must be quick. */
import * as z from 'zod/mini';
import { type Container, type ContainerState, labels as known } from '../runtime.ts';
import type { Engine } from './engine.ts';
import { roleLabel } from './gateway.ts';
import { oomKills } from './oom-kills.ts';

const summarySchema = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()),
    Image: z.string(),
    Labels: z.nullable(z.record(z.string(), z.string())),
    State: z.string(),
  }),
);

/** Environments' containers; what stands beside them is not among them. */
export async function listContainers(
  engine: Engine,
  labels: Readonly<Record<string, string>>,
): Promise<readonly Container[]> {
  const found = (await listed(engine, labels)).filter((each) => each.labels[roleLabel] === undefined);
  const complete = await Promise.all(
    found.map(async (each): Promise<Container | undefined> => {
      const kills = each.state === 'created' ? 0 : await oomKills(engine, each.id);
      if (kills === undefined) return undefined;
      return { ...each, state: kills > 0 && each.state === 'stopped' ? 'failed' : each.state, oomKilled: kills > 0 };
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

/** Docker's states (API, "ContainerState"), and Podman's `configured`, `initialized`, `stopped`. */
function stateOf(said: string): ContainerState {
  if (said === 'running' || said === 'paused' || said === 'restarting') return 'running';
  if (said === 'created' || said === 'configured' || said === 'initialized') return 'created';
  return said === 'dead' ? 'failed' : 'stopped';
}
