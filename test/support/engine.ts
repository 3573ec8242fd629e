/** The engine that the setup of the `engine` project found or started, for its tests. */
import { inject } from 'vitest';
import { type Surroundings, surroundingsOf } from '../../src/platform/surroundings.ts';
import { hermeticEnvironment, temporaryDirectory } from './repository.ts';

export interface TestEngine {
  /** As in DOCKER_HOST. */
  readonly address: string;
  /** An image with nothing but busybox. */
  readonly busybox: string;
  /** An image with a shell, the common commands, git and node: made from this machine. */
  readonly base: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    engine: TestEngine;
  }
}

export function testEngine(): TestEngine {
  return inject('engine');
}

/** Surroundings in which coppice finds the test engine, with a home of its own. */
export function engineSurroundings(home: string = temporaryDirectory()): Surroundings {
  return surroundingsOf(home, { ...hermeticEnvironment(home), DOCKER_HOST: testEngine().address });
}
