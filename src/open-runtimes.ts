/** The runtimes, each opened when it is first needed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultImage } from './config/resolve.ts';
import { CoppiceError } from './domain/error.ts';
import type { RuntimeKind } from './domain/spec.ts';
import type { Surroundings } from './platform/surroundings.ts';
import type { DockerRuntime } from './runtime/docker/docker-runtime.ts';
import type { Runtime } from './runtime/runtime.ts';

export interface Runtimes {
  get(kind: RuntimeKind): Promise<Runtime>;
  docker(): Promise<DockerRuntime>;
  /** Whether a container engine answers. */
  engineAnswers(): Promise<boolean>;
  close(): Promise<void>;
}

export function openRuntimes(surroundings: Surroundings): Runtimes {
  let docker: Promise<DockerRuntime> | undefined;
  let sandbox: Promise<Runtime> | undefined;
  const openDocker = () => {
    docker ??= import('./runtime/docker/docker-runtime.ts').then(({ dockerRuntime }) => {
      const program = gatewayProgram();
      if (program === undefined) return dockerRuntime(surroundings);
      return dockerRuntime(surroundings, { node: process.execPath, program, fallbackImage: defaultImage });
    });
    return docker;
  };
  const openSandbox = () => {
    const stateDirectory = join(surroundings.dataDirectory, '.sandboxes');
    sandbox ??= import('./runtime/sandbox/sandbox.ts').then(({ openSandboxRuntime }) => {
      const gateway = gatewayProgram();
      return openSandboxRuntime({ stateDirectory, surroundings, ...(gateway === undefined ? {} : { gateway }) });
    });
    return sandbox;
  };
  return {
    get: (kind) => (kind === 'docker' ? openDocker() : openSandbox()),
    docker: openDocker,
    async engineAnswers() {
      try {
        await (await openDocker()).probe();
        return true;
      } catch (error) {
        if (error instanceof CoppiceError && error.kind === 'unavailable') return false;
        throw error;
      }
    },
    async close() {
      await (await docker)?.close();
      await (await sandbox)?.close();
    },
  };
}

/** Beside the bundle this is part of, or, where the sources run, in the last bundle made of them. */
function gatewayProgram(): string | undefined {
  const places = ['../gateway/main.cjs', './gateway/main.cjs', '../dist/gateway/main.cjs'];
  return places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((path) => existsSync(path));
}
