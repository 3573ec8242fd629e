/** The main path where there is neither an engine nor bubblewrap: plain processes, and it says so. */
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../support/repository.ts';
import { type Ground, mainPath, sceneOn } from './main-path.ts';

/** A PATH with everything but bubblewrap. */
function pathWithoutBubblewrap(): string {
  const directory = join(temporaryDirectory(), 'bin');
  mkdirSync(directory);
  for (const from of (process.env.PATH ?? '').split(':').toReversed()) {
    for (const name of namesIn(from)) {
      if (name === 'bwrap') continue;
      try {
        symlinkSync(join(from, name), join(directory, name));
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
    }
  }
  return directory;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return [];
    throw error;
  }
}

const plain: Ground = {
  name: 'plain processes',
  create: ['--runtime', 'sandbox'],
  env: () => ({ PATH: pathWithoutBubblewrap() }),
  isolated: false,
  cleanUp: async () => undefined,
};

mainPath(plain);

it('says in one clear line that nothing is isolated', async () => {
  const scene = sceneOn(plain);
  const created = await scene.cli.run(['create', 'one', ...plain.create]);
  expect(created.status).toBe(0);
  expect(created.stderr).toMatch(/^NOT ISOLATED: .*\n$/);
});
