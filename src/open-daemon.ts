/** Joins the daemon to the operations: as operations call it, and as it calls them. */
import { statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UserSettings } from './config/settings.ts';
import type { HeldPath } from './daemon/events.ts';
import type { Build, DaemonStatus } from './daemon/status.ts';
import type { BytePath } from './domain/byte-path.ts';
import type { Held, HeldReason } from './domain/change.ts';
import { repositoryFile } from './domain/directories.ts';
import { CoppiceError } from './domain/error.ts';
import { parseOid } from './domain/oid.ts';
import type { DaemonFacts, DaemonPort, Workplace } from './environment/workplace.ts';
import { ifPresent } from './platform/errno.ts';
import type { Surroundings } from './platform/surroundings.ts';
import { version } from './version.ts';

type OpenWorkplace = (surroundings: Surroundings, program: readonly string[]) => Promise<Workplace>;

export function openDaemonPort(
  surroundings: Surroundings,
  program: readonly string[],
  settings: UserSettings,
  openWorkplace: OpenWorkplace,
): DaemonPort {
  const { dataDirectory } = surroundings;
  const off = settings.daemon === 'off';
  // Loaded when it is needed: `coppice list` has no business with the daemon.
  const lifecycle = () => import('./daemon/lifecycle.ts');
  const connectToDaemon = async () => (await lifecycle()).connectToDaemon(surroundings);
  const build = async (): Promise<Build> => {
    const { protocolVersion } = await import('./daemon/protocol.ts');
    return { version, protocol: protocolVersion, stamp: stampOf(program) };
  };
  const ensure = async () => {
    const entry = [...program, 'daemon', 'run'];
    return (await lifecycle()).ensureDaemon(surroundings, { entry, build: await build() });
  };
  const mayStart = () => {
    if (!off && program.length > 0) return;
    throw new CoppiceError('unavailable', 'daemon-off', 'The daemon is switched off in your settings.', {
      hint: 'Remove "daemon": "off" from the settings.',
    });
  };
  const quietly = async (body: () => Promise<void>) => {
    try {
      await body();
    } catch (error) {
      // Only sooner or later is at stake; what is wrong with the daemon `doctor` and `daemon status` tell.
      if (!(error instanceof CoppiceError)) throw error;
    }
  };
  return {
    notice: ({ commonDirectory }, name) =>
      quietly(async () => {
        if (off) return;
        const client = program.length === 0 ? await connectToDaemon() : await ensure();
        if (client === undefined) return;
        try {
          await client.watch({ dataDirectory, commonDirectory, name });
        } finally {
          client.close();
        }
      }),
    leave: ({ commonDirectory }, name) =>
      quietly(async () => {
        const client = await connectToDaemon();
        try {
          await client?.unwatch({ dataDirectory, commonDirectory, name });
        } finally {
          client?.close();
        }
      }),
    async checkpoint({ commonDirectory }, request) {
      if (off) return undefined;
      try {
        const client = await connectToDaemon();
        if (client === undefined) return undefined;
        try {
          const saved = await client.checkpoint({
            dataDirectory,
            commonDirectory,
            ...request,
            execs: [...request.execs],
          });
          return {
            unsettled: saved.unsettled,
            checkpoint: saved.checkpoint === null ? undefined : parseOid(saved.checkpoint),
            held: saved.held.map(heldOf),
            submodules: saved.submodules as BytePath[],
          };
        } finally {
          client.close();
        }
      } catch (error) {
        // Whatever kept the daemon from it: the caller does it itself, and meets the same if it is not the daemon's fault.
        if (error instanceof CoppiceError) return undefined;
        throw error;
      }
    },
    async facts() {
      let client: Awaited<ReturnType<typeof connectToDaemon>>;
      try {
        client = await connectToDaemon();
        return client === undefined ? undefined : factsOf(await client.status());
      } catch (error) {
        if (error instanceof CoppiceError) return undefined;
        throw error;
      } finally {
        client?.close();
      }
    },
    async start() {
      mayStart();
      const client = await ensure();
      try {
        return factsOf(await client.status());
      } finally {
        client.close();
      }
    },
    stop: async () => (await lifecycle()).stopDaemon(surroundings),
    async serve(signal) {
      const { runDaemon } = await import('./daemon/main.ts');
      const { loadWatched } = await import('./open-watched.ts');
      return runDaemon(surroundings, loadWatched(surroundings, openWorkplace, repositoriesIn), {
        build: await build(),
        signal,
      });
    },
    async *events(signal) {
      mayStart();
      const client = await ensure();
      try {
        yield* client.events(signal);
      } finally {
        client.close();
      }
    },
  };
}

/** The repositories that have environments in a data directory, by their common git directories. */
async function repositoriesIn(dataDirectory: string): Promise<readonly string[]> {
  const names = (await ifPresent(readdir(dataDirectory))) ?? [];
  const found = await Promise.all(
    names.map((name) => ifPresent(readFile(join(dataDirectory, name, repositoryFile), 'utf8'))),
  );
  return found.flatMap((path) => (path === undefined ? [] : [path.trimEnd()]));
}

function factsOf(status: DaemonStatus): DaemonFacts {
  return {
    pid: status.pid,
    version: status.build.version,
    startedAt: status.startedAt,
    environments: status.environments.map(({ repository, name, watch, reason, lastError }) => ({
      repository,
      name,
      watch,
      reason,
      lastError: lastError?.message ?? null,
    })),
  };
}

/** A newer daemon may know other reasons: they are for people. */
function heldOf({ path, reason, detail }: HeldPath): Held {
  return { path: path as BytePath, reason: reason as HeldReason, detail };
}

/** When this build was made; 0 where there is no file to ask. */
function stampOf(program: readonly string[]): number {
  const file = program.at(-1);
  const stats = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
  return Math.round(stats?.mtimeMs ?? 0);
}
