/** A repository with environments in the sandbox, driven through the built library: a process less for every step. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import type * as Library from '../../src/index.ts';
import { coppiceIn, entry } from './coppice.ts';
import { type FileContent, makeRepository, type TestRepository } from './repository.ts';

export interface LibraryScene {
  readonly repository: TestRepository;
  readonly coppice: Library.Coppice;
  create(name: string, from?: string): Promise<{ readonly worktree: string }>;
  /** Runs a shell script inside; its standard output. */
  exec(name: string, script: string): Promise<string>;
  /** What an operation that fails throws; fails itself when it does not. */
  failure(done: Promise<unknown>): Promise<InstanceType<typeof Library.CoppiceError>>;
}

export async function libraryScene(files: Readonly<Record<string, FileContent>>): Promise<LibraryScene> {
  const { openCoppice, CoppiceError } = (await import(
    pathToFileURL(join(entry, '../../index.js')).href
  )) as typeof Library;
  const repository = makeRepository({ files });
  const coppice = openCoppice({ directory: repository.path, env: coppiceIn(repository).env });
  onTestFinished(async () => {
    for (const { name } of (await coppice.list()).environments) await coppice.remove({ name, force: true });
    await coppice.close();
  });
  return {
    repository,
    coppice,
    async create(name, from) {
      const request = { name, runtime: 'sandbox' as const, ...(from === undefined ? {} : { from }) };
      const [made] = (await coppice.create(request)).environments;
      if (made === undefined) throw new Error('create made nothing');
      return made;
    },
    exec: async (name, script) => (await coppice.exec({ name, command: ['sh', '-c', script] })).stdout,
    async failure(done) {
      try {
        await done;
      } catch (error) {
        if (error instanceof CoppiceError) return error;
        throw error;
      }
      throw new Error('It did not fail.');
    },
  };
}
