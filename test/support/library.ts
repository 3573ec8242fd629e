/** The library on a hermetic repository with the sandbox: the quickest way to real environments. Everything is gone afterwards. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openCoppice } from '../../src/index.ts';
import { coppiceIn } from './coppice.ts';
import type { TestRepository } from './repository.ts';

export function libraryIn(repository: TestRepository, report: (message: string) => void = () => undefined) {
  const cli = coppiceIn(repository);
  const coppice = openCoppice({ directory: repository.path, env: cli.env, report });
  onTestFinished(async () => {
    for (const { name } of (await coppice.list({})).environments) await coppice.remove({ name, force: true });
    await coppice.close();
  });
  return {
    coppice,
    cli,
    async inside(name: string, script: string): Promise<void> {
      const { exit, stderr } = await coppice.exec({ name, command: ['sh', '-ec', script] });
      if (exit !== 0) throw new Error(stderr);
    },
    async create(...names: readonly string[]): Promise<void> {
      await Promise.all(names.map((name) => coppice.create({ name, runtime: 'sandbox' })));
    },
    /** Where the environments are on disk. */
    data(): string {
      const data = join(repository.home, '.local/share/coppice');
      const [own = ''] = readdirSync(data).filter((name) => !name.startsWith('.'));
      return join(data, own);
    },
  };
}
