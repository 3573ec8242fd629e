/** The network of an existing environment: changed where it runs and in its record, and what was denied there. */
import { isDeepStrictEqual } from 'node:util';
import { isCovered, joinAllow, parseAllowEntry } from '../../domain/allowlist.ts';
import { CoppiceError } from '../../domain/error.ts';
import {
  allowedHosts,
  type Denial,
  type Denials,
  modeOf,
  type Network,
  type NetworkMode,
  narrower,
  noDenials,
} from '../../domain/network.ts';
import type { Container, Runtime } from '../../runtime/runtime.ts';
import { refuseIfBusy } from '../busy.ts';
import { ensureRunning } from '../container.ts';
import type { Environment } from '../environment.ts';
import { recordFile, serializeRecord, updateRecord } from '../record.ts';
import type { Report, Workplace } from '../workplace.ts';

export interface NetworkChange {
  readonly mode: NetworkMode | undefined;
  /** Entries to add, and to take away. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/**
 * What it is after the change. Throws `not-an-allowlist` where hosts are named and none is wanted, `host-not-listed`
 * where one to take away is not there, `bad-host`.
 */
export function changedNetwork(name: string, before: Network, change: NetworkChange): Network {
  const mode = change.mode ?? modeOf(before);
  if (mode !== 'allowlist') {
    if (change.allow.length + change.deny.length > 0) throw notAnAllowlist(name, mode, change);
    return mode;
  }
  for (const entry of change.allow) parseAllowEntry(entry);
  const gone = joinAllow(change.deny);
  const listed = joinAllow(allowedHosts(before), change.allow);
  const missing = gone.find((entry) => !listed.includes(entry));
  if (missing !== undefined) throw notListed(name, missing, listed);
  return { mode, allow: listed.filter((entry) => !gone.includes(entry)) };
}

/**
 * The record first, then what runs; where that cannot be, everything is as before. A list is changed under running
 * commands; another mode takes a new container, so it is refused while something runs.
 */
export async function changeNetwork(
  workplace: Workplace,
  environment: Environment,
  network: Network,
): Promise<Environment> {
  const before = environment.record.spec.network;
  if (isDeepStrictEqual(before, network)) return environment;
  if (modeOf(before) !== modeOf(network)) await refuseNewContainer(workplace, environment, network);
  const changed = await recordNetwork(workplace, environment, network);
  try {
    await ensureRunning(workplace, changed);
    return changed;
  } catch (error) {
    await ensureRunning(workplace, await recordNetwork(workplace, changed, before));
    throw error;
  }
}

async function refuseNewContainer(workplace: Workplace, environment: Environment, network: Network): Promise<void> {
  await refuseIfBusy(workplace, environment, `\`coppice stop ${environment.name}\` ends it`);
  const { isolated } = await (await workplace.runtime(environment.record.spec.runtime)).probe();
  if (isolated || network === 'open') return;
  throw new CoppiceError('unavailable', 'not-isolated', `Without isolation the network stays open.`, {
    hint: 'Install bubblewrap, or make an environment with --runtime docker.',
  });
}

/**
 * What somebody else may have recorded, or the user under settings of another time, becomes no more than the settings give
 * now; what they do not is told.
 */
export async function boundByUser(
  workplace: Workplace,
  environment: Environment,
  report: Report,
): Promise<Environment> {
  const before = environment.record.spec.network;
  const network = narrower(before, workplace.boundNetwork('open').network);
  if (isDeepStrictEqual(before, network)) return environment;
  const gone =
    modeOf(before) === modeOf(network)
      ? allowedHosts(before).filter((host) => !isCovered(host, allowedHosts(network)))
      : [modeOf(before)];
  if (gone.length > 0) {
    const way = `\`coppice start ${environment.name} --network MODE --allow-host HOST\` gives it more.`;
    report(`${environment.name} had more of the network than your settings give now: ${gone.join(', ')}. ${way}`);
  }
  return recordNetwork(workplace, environment, network);
}

/** The record alone. */
export async function recordNetwork(
  workplace: Workplace,
  environment: Environment,
  network: Network,
): Promise<Environment> {
  if (isDeepStrictEqual(environment.record.spec.network, network)) return environment;
  const record = { ...environment.record, spec: { ...environment.record.spec, network } };
  const files = [{ path: recordFile, content: serializeRecord(record) }];
  const at = await updateRecord(workplace, environment.refs.record, files, `network ${modeOf(network)}`);
  return { ...environment, record, at: { ...environment.at, record: at } };
}

/** What was denied since its gateway was started, without secrets that were put into the names. */
export async function denialsOf(
  workplace: Workplace,
  { record }: Environment,
  runtime: Runtime,
  container: Pick<Container, 'id'>,
): Promise<Denials> {
  if (modeOf(record.spec.network) !== 'allowlist') return noDenials;
  const { total, recent } = await runtime.denied(container.id);
  if (recent.length === 0) return { total, recent };
  const hide = await workplace.hostMask();
  return { total, recent: recent.map((denial) => ({ ...denial, host: hide(denial.host) })) };
}

/** What was denied in between, with the counts of that time. */
export function deniedBetween(before: Denials, after: Denials): readonly Denial[] {
  if (after.total < before.total) return after.recent;
  const known = new Map(before.recent.map((each) => [keyOf(each), each.count]));
  return after.recent.flatMap((each) => {
    const count = each.count - (known.get(keyOf(each)) ?? 0);
    return count > 0 ? [{ ...each, count }] : [];
  });
}

function keyOf({ host, port, reason, first }: Denial): string {
  return JSON.stringify([host, port, reason, first]);
}

function notAnAllowlist(name: string, mode: NetworkMode, change: NetworkChange): CoppiceError {
  const why = mode === 'open' ? 'everything can be reached already' : 'it has no network at all';
  const hosts = change.allow.map((each) => ` --allow-host ${each}`).join('');
  return new CoppiceError('usage', 'not-an-allowlist', `The network of ${name} is ${mode}: ${why}.`, {
    hint: `\`coppice start ${name} --network allowlist${hosts}\` lets it reach these hosts only.`,
    data: { name, network: mode },
  });
}

function notListed(name: string, host: string, listed: readonly string[]): CoppiceError {
  return new CoppiceError('not-found', 'host-not-listed', `${host} is not on the allowlist of ${name}.`, {
    hint: listed.length === 0 ? 'The list is empty.' : `On it: ${listed.join(', ')}.`,
    data: { name, host, allow: listed },
  });
}
