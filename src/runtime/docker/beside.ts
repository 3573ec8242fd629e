/** What stands beside a container with an allowlist, its network and its gateway: made, started and taken away with it. */
import { existsSync } from 'node:fs';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { type Denials, noDenials } from '../../domain/network.ts';
import { withLock } from '../../platform/lock.ts';
import { type ContainerRequest, labels as known } from '../runtime.ts';
import { removeContainer } from './create-container.ts';
import type { Engine } from './engine.ts';
import {
  deniedBy,
  gatewayName,
  gatewayRole,
  keepGateway,
  makeGateway,
  notIsolated,
  roleLabel,
  startGateway,
  stopGateway,
} from './gateway.ts';
import type { GatewayProgram } from './gateway-image.ts';
import { type Inside, isRunning } from './inside.ts';
import type { Joining } from './joining.ts';
import { filtersOf, listed } from './list.ts';
import { makeNetwork, networksWith, removeNetwork } from './private-network.ts';

/** Before the container is created. */
export async function makeBeside(
  engine: Engine,
  program: GatewayProgram | undefined,
  request: ContainerRequest,
  allow: readonly string[],
): Promise<Joining> {
  const needed = requireProgram(program);
  if ((await engine.facts()).podman) throw notIsolated('Podman leaves the host within reach of an internal network');
  const labels = { ...request.labels, [known.tool]: '1' };
  const addresses = await macvlanFor(engine, request.name, labels);
  try {
    await makeGateway(engine, needed, { container: request.name, addresses, allow, labels });
  } catch (error) {
    await removeBeside(engine, request.name);
    throw error;
  }
  return { addresses, sysctls: await withoutVersion6(engine) };
}

async function macvlanFor(
  engine: Engine,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<Joining['addresses']> {
  try {
    return await makeNetwork(engine, name, labels);
  } catch (error) {
    if (!hasCode(error, 'engine-error')) throw error;
    throw notIsolated(`it makes no macvlan network (${String(error.data.words)})`);
  }
}

/** The host's end of the bridge has an IPv6 address even where the network has none. A kernel without IPv6 has no such setting. */
async function withoutVersion6(engine: Engine): Promise<Readonly<Record<string, string>>> {
  const { endpoint } = await engine.client();
  if (endpoint.way.kind === 'socket' && !existsSync('/proc/sys/net/ipv6')) return {};
  return { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' };
}

/** Nothing for a container without an allowlist. */
export async function startBeside(engine: Engine, { addresses, name }: Inside): Promise<void> {
  if (addresses !== undefined) await startGateway(engine, gatewayName(name));
}

/** Before something runs inside. */
export async function keepBeside(engine: Engine, { addresses, name }: Inside): Promise<void> {
  if (addresses !== undefined) await keepGateway(engine, gatewayName(name));
}

export async function stopBeside(engine: Engine, { addresses, name }: Inside): Promise<void> {
  if (addresses !== undefined) await stopGateway(engine, gatewayName(name));
}

/** Also what is left of one that was made only half. */
export async function removeBeside(engine: Engine, container: string): Promise<void> {
  await removeContainer(engine, gatewayName(container));
  await removeNetwork(engine, container);
}

export async function deniedBeside(engine: Engine, { addresses, name }: Inside): Promise<Denials> {
  return addresses === undefined ? noDenials : deniedBy(engine, gatewayName(name));
}

/** The gateway is replaced: what goes through it at the moment is cut. */
export async function allowBeside(
  engine: Engine,
  program: GatewayProgram | undefined,
  { addresses, id, name, labels }: Inside,
  allow: readonly string[],
): Promise<void> {
  if (addresses === undefined) {
    throw new CoppiceError('refused', 'no-allowlist', `The container ${name} was not made with an allowlist.`);
  }
  const needed = requireProgram(program);
  await withLock(`gateway:${name}`, async () => {
    const made = await makeGateway(engine, needed, { container: name, addresses, allow, labels });
    if (made && (await isRunning(engine, id))) await startGateway(engine, gatewayName(name));
  });
}

/** Gateways and networks with these labels whose container is gone. */
export async function sweepBeside(engine: Engine, labels: Readonly<Record<string, string>>): Promise<void> {
  const filters = filtersOf(labels);
  const [containers, networks] = await Promise.all([listed(engine, labels), networksWith(engine, filters)]);
  const isGateway = (each: { readonly labels: Readonly<Record<string, string>> }) =>
    each.labels[roleLabel] === gatewayRole;
  const there = new Set(containers.filter((each) => !isGateway(each)).map(({ name }) => name));
  const gateways = containers
    .filter(isGateway)
    .filter(({ name }) => ![...there].some((each) => gatewayName(each) === name));
  for (const { id } of gateways) await removeContainer(engine, id);
  for (const name of networks) if (!there.has(name)) await removeNetwork(engine, name);
}

function requireProgram(program: GatewayProgram | undefined): GatewayProgram {
  if (program !== undefined) return program;
  throw new CoppiceError('bug', 'no-gateway', 'This runtime was opened without the program of the gateway.');
}
