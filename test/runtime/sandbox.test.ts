/** The embedded runtime in both its ways, held to the contract of runtimes. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { openLimiter } from '../../src/runtime/sandbox/limits.ts';
import { openSandboxRuntime } from '../../src/runtime/sandbox/sandbox.ts';
import { requireBubblewrap } from '../support/bubblewrap.ts';
import { hermeticEnvironment, temporaryDirectory } from '../support/repository.ts';
import { runtimeContract } from './contract.ts';

requireBubblewrap();

const limited = (await openLimiter()) !== undefined;
const claims = {
  images: false,
  memoryLimit: limited,
  pidsLimit: limited,
  root: false,
  terminal: true,
  endsDetached: true,
};

for (const variant of ['bubblewrap', 'plain'] as const) {
  const isolated = variant === 'bubblewrap';
  const stateDirectories = new Map<string, string>();
  runtimeContract(`sandbox (${variant})`, { ...claims, isolated, keepsFiles: isolated }, async () => {
    // The same for every call in one test: each is another process's view of the same containers.
    const name = expect.getState().currentTestName ?? '';
    const stateDirectory = stateDirectories.get(name) ?? join(temporaryDirectory(), 'sandboxes');
    stateDirectories.set(name, stateDirectory);
    return {
      runtime: await openRuntime(variant, stateDirectory),
      image: null,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      network: isolated ? 'none' : 'open',
    };
  });
}

function openRuntime(variant: 'bubblewrap' | 'plain', stateDirectory: string) {
  const surroundings = surroundingsOf('/', hermeticEnvironment(join(stateDirectory, 'home')));
  return openSandboxRuntime({ stateDirectory, surroundings, variant });
}
