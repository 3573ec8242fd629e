/** `start`: makes an environment run: its container, and on a machine that only fetched its references its files too. */
import { readdir } from 'node:fs/promises';
import * as z from 'zod/mini';
import { type Network, networkModes } from '../domain/network.ts';
import { requireApprovedEnvironment } from '../environment/access/approval.ts';
import { changedNetwork, changeNetwork, type NetworkChange, recordNetwork } from '../environment/access/network.ts';
import { bringInOutside } from '../environment/commit.ts';
import { ensureRunning } from '../environment/container.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment } from '../environment/find.ts';
import { tellLeftOut } from '../environment/left-out.ts';
import { dismantle, isMaterialized, materialize } from '../environment/materialize.ts';
import { putInside } from '../environment/put-inside.ts';
import { waitUntilReady } from '../environment/ready.ts';
import { setAside } from '../environment/remove.ts';
import type { Report, Workplace } from '../environment/workplace.ts';
import { ifPresent } from '../platform/errno.ts';
import { describeNetwork, networkView } from './network-view.ts';
import { type Context, flag, nameArgument, operation } from './operation.ts';
import { eachOf, moreNames, namesOf, oneCallEach, renderEach, statusOfEach } from './several.ts';

export const start = operation({
  name: 'start',
  summary: 'Start an environment that is stopped, lost its container, or came with a fetch; change its network',
  details:
    'A changed allowlist holds at once, also for what runs. Another mode of the network takes a new container: files and home stay, what was installed elsewhere goes.',
  effect: 'write',
  tool: {
    title: 'Start an environment',
    idempotent: true,
    openWorld: true,
    bindable: true,
    without: { more: oneCallEach },
    asks: {
      network: {
        why: 'more than nothing may be more than your settings give',
        unless: (mode) => mode === undefined || mode === 'none',
      },
      allowHost: 'it may be more than your settings give',
    },
  },
  version: 2,
  input: z.strictObject({
    name: nameArgument(),
    more: moreNames('Others to start as well.'),
    network: flag(z.optional(z.enum(networkModes)), {
      help: 'From now on it may reach everything, only the hosts it lists, or nothing.',
      value: 'MODE',
    }),
    allowHost: flag(z._default(z.array(z.string()), []), {
      help: 'Add a host to its allowlist; repeatable.',
      value: 'HOST',
    }),
    denyHost: flag(z._default(z.array(z.string()), []), {
      help: 'Take a host off its allowlist; repeatable.',
      value: 'HOST',
    }),
  }),
  async run(context, { name, more, network: mode, allowHost: allow, denyHost: deny }) {
    const change = { mode, allow, deny };
    return { environments: await eachOf(namesOf(name, more), (each) => startOne(context, each, change)) };
  },
  render: ({ environments }, style) => renderEach(environments, startedText, 'running', style),
  exitStatus: ({ environments }) => statusOfEach(environments),
});

async function startOne(context: Context, name: string | undefined, change: NetworkChange) {
  const workplace = await context.workplace();
  const found = await waitUntilReady(workplace, await findEnvironment(workplace, name), context.signal);
  await requireApprovedEnvironment(workplace, found, context.confirm);
  const runtime = await workplace.runtime(found.record.spec.runtime);
  const { image } = found.record.spec;
  if (image !== null) await runtime.prepareImage(image, ({ message }) => context.report(message));
  const fresh = !isMaterialized(found);
  // A record that came with a fetch is somebody else's word.
  const before = fresh ? bounded(workplace, found, context.report) : found.record.spec.network;
  const wanted = changedNetwork(found.name, before, change);
  const environment = await (fresh ? recordNetwork : changeNetwork)(workplace, found, wanted);
  if (fresh) {
    // Where its directory was deleted by hand, a container over what is gone and a registration are left. Files without
    // the mark of a whole environment are of a making that was cut short, most likely: kept all the same.
    if (await hasFiles(environment.directories.tree)) {
      const left = await setAside(workplace, environment, environment.directories.root);
      context.report(`An incomplete worktree was there; it is kept at ${left}.`);
    }
    await dismantle(workplace, environment);
    try {
      tellLeftOut(await materialize(workplace, environment, runtime), context.report);
      await putInside(workplace, environment, context.report);
    } catch (error) {
      await dismantle(workplace, environment);
      throw error;
    }
  } else await ensureRunning(workplace, environment);
  await bringInOutside(workplace, environment);
  await workplace.daemon.notice(workplace.repository, environment.name);
  return {
    name: environment.name as string,
    worktree: environment.directories.tree,
    fresh,
    network: networkView(environment.record.spec.network),
  };
}

function startedText({ name, worktree, fresh, network }: Awaited<ReturnType<typeof startOne>>): string {
  const reach = network.mode === 'open' ? '' : `, network ${describeNetwork(network)}`;
  return `${name} is running${fresh ? `, checked out at ${worktree}` : ''}${reach}`;
}

function bounded(workplace: Workplace, { name, record }: Environment, report: Report): Network {
  const { network, leftOut } = workplace.boundNetwork(record.spec.network);
  if (leftOut.length > 0) {
    report(`The record of ${name} asks for more of the network than your settings give: ${leftOut.join(', ')}.`);
  }
  return network;
}

async function hasFiles(directory: string): Promise<boolean> {
  return ((await ifPresent(readdir(directory))) ?? []).length > 0;
}
