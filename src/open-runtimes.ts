/** The runtimes, each opened when it is first needed. */
import { join } from 'node:path';
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
    docker ??= import('./runtime/docker/docker-runtime.ts').then(({ dockerRuntime }) => dockerRuntime(surroundings));
    return docker;
  };
  const openSandbox = () => {
    const stateDirectory = join(surroundings.dataDirectory, '.sandboxes');
    sandbox ??= import('./runtime/sandbox/sandbox.ts').then(({ openSandboxRuntime }) =>
      openSandboxRuntime({ stateDirectory, surroundings }),
    );
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
