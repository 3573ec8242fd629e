/**
 * The embedded runtime: no daemon, no images. With bubblewrap each container is a sandbox of namespaces on this
 * machine; without it, commands are plain processes of the user, which is no isolation at all and is said so.
 */
import { stat } from 'node:fs/promises';
import { CoppiceError } from '../../domain/error.ts';
import { allowedHosts } from '../../domain/network.ts';
import type { Container, ContainerRequest, Runtime } from '../runtime.ts';
import { bubblewrapLayout } from './bubblewrap.ts';
import { holderOf, markerOf } from './holder.ts';
import { ensureStanding, type Launcher, launchExec, openWayOut, withSandbox } from './launch.ts';
import { oomKills, openLimiter, removeGroups } from './limits.ts';
import { endPack } from './processes.ts';
import { deniedByProxy } from './proxy.ts';
import { hasAllowlist, ifThere, type Sandbox, sandboxStore } from './store.ts';
import { findVariant, type SandboxOptions, viewFor } from './variant.ts';

/** Whether bubblewrap works here is found out when it first matters; at once where a variant is asked for by name. */
export async function openSandboxRuntime(options: SandboxOptions): Promise<Runtime> {
  const variant = once(() => findVariant(options));
  const view = once(() => viewFor(options));
  if (options.variant !== undefined) await variant();
  const store = sandboxStore(options.stateDirectory);
  const limits = once(openLimiter);
  const launcher: Launcher = {
    store,
    variant,
    view,
    limits,
    surroundings: options.surroundings,
    gateway: options.gateway,
  };

  const describe = async (sandbox: Sandbox): Promise<Container> => {
    const { id, state, request } = sandbox;
    const mayHaveDied = state === 'running' && request.limits.memory !== undefined;
    const killed = mayHaveDied && (await oomKills(store.directoryOf(id))) > 0;
    return { id, name: request.name, labels: request.labels, state, image: null, oomKilled: killed };
  };
  const endAll = async (sandbox: Sandbox) => {
    const holder = await holderOf(store.directoryOf(sandbox.id));
    await endPack({ leaders: holder === undefined ? [] : [holder], marker: markerOf(sandbox) });
  };

  return {
    kind: 'sandbox',
    probe: async () => {
      const enforced = (await limits()) !== undefined;
      const { kind, description } = await variant();
      return {
        kind: 'sandbox',
        description: `${description}; limits of memory, processors and processes are ${enforced ? '' : 'not '}enforced`,
        isolated: kind === 'bubblewrap',
        images: false,
      };
    },
    layout: async (host) =>
      (await variant()).kind === 'bubblewrap'
        ? bubblewrapLayout(options.surroundings.userName)
        : { ...host, mountsGitFile: false },
    prepareImage: async (reference) => {
      throw noImages(reference);
    },
    create: async (request) => {
      const { kind } = await variant();
      await check(request, kind);
      return describe(await store.add(request, kind));
    },
    start: async (id) => {
      const sandbox = await store.read(id);
      await withSandbox(sandbox, async () => {
        await store.setState(id, 'running');
        try {
          await ensureStanding(sandbox, launcher);
        } catch (error) {
          await store.setState(id, sandbox.state);
          throw error;
        }
      });
    },
    stop: async (id) => {
      const sandbox = await store.read(id);
      await withSandbox(sandbox, async () => {
        if (sandbox.state === 'running') await store.setState(id, 'stopped');
        await endAll(sandbox);
        // With their counts: what was killed before a stop is over.
        await removeGroups(store.directoryOf(id));
      });
    },
    remove: async (id) => {
      const sandbox = await store.find(id);
      if (sandbox === undefined) return;
      await withSandbox(sandbox, async () => {
        if ((await store.find(id))?.token !== sandbox.token) return;
        await store.setState(id, 'stopped');
        await endAll(sandbox);
        await removeGroups(store.directoryOf(id));
        await store.delete(id);
      });
    },
    allow: async (id, hosts) => {
      const sandbox = await store.read(id);
      if (!hasAllowlist(sandbox)) throw noAllowlist(id);
      await withSandbox(sandbox, async () => {
        const before = await store.read(id);
        if (JSON.stringify(allowedHosts(before.request.network)) === JSON.stringify(hosts)) return;
        const after = await store.setNetwork(id, { mode: 'allowlist', allow: [...hosts] });
        if (after.state === 'running') await openWayOut(after, launcher);
      });
    },
    denied: async (id) => deniedByProxy(store.directoryOf((await store.read(id)).id)),
    // Everything of a sandbox lies in its directory.
    sweep: async () => undefined,
    list: async (wanted) => {
      const matching = (await store.all()).filter(({ request }) =>
        Object.entries(wanted).every(([key, value]) => request.labels[key] === value),
      );
      return Promise.all(matching.map(describe));
    },
    exec: (id, request) => launchExec(id, request, launcher),
    close: async () => undefined,
  };
}

/** The answer of the first call, for all. */
function once<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined;
  return () => {
    answer ??= ask();
    return answer;
  };
}

async function check(request: ContainerRequest, kind: Sandbox['variant']): Promise<void> {
  if (request.image !== null) throw noImages(request.image);
  for (const { source, target } of request.mounts) {
    if ((await ifThere(stat(source))) === undefined) {
      throw new CoppiceError('unavailable', 'engine-error', `${source} is to be mounted, but it is not there.`, {
        data: { source, target },
      });
    }
  }
  if (kind === 'bubblewrap') return;
  const moved = request.mounts.find(({ source, target }) => source !== target);
  if (moved !== undefined) {
    throw new CoppiceError(
      'unavailable',
      'not-isolated',
      `Without bubblewrap ${moved.source} cannot appear at ${moved.target}.`,
      {
        hint: 'Install bubblewrap (on Debian: apt-get install bubblewrap), use --runtime docker, or leave the mount out.',
      },
    );
  }
  if (request.network !== 'open') {
    const what = request.network === 'none' ? 'the network cannot be cut off' : 'an allowlist cannot be kept';
    throw new CoppiceError('unavailable', 'not-isolated', `Without bubblewrap ${what}.`, {
      hint: 'Install bubblewrap (on Debian: apt-get install bubblewrap), use --runtime docker, or open the network.',
    });
  }
}

function noAllowlist(id: string): CoppiceError {
  return new CoppiceError('refused', 'no-allowlist', `The sandbox ${id} was not made with an allowlist.`);
}

function noImages(reference: string): CoppiceError {
  return new CoppiceError('usage', 'no-images', `The sandbox runtime has no images, so it cannot use ${reference}.`, {
    hint: 'Use --runtime docker, or leave the image out.',
    data: { image: reference },
  });
}
