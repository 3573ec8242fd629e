/**
 * A daemon in a process of its own, for tests. Its environments are the directories below the data directory; each
 * checkpoint of one is a line in the file `checkpoints` beside it.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { runDaemon } from '../../src/daemon/main.ts';
import type { Listed } from '../../src/daemon/watched.ts';
import { parseOid } from '../../src/domain/oid.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';

const surroundings = surroundingsOf('/', process.env);
const oid = parseOid('c'.repeat(40));

function environmentIn(directory: string, name: string): Listed {
  const root = join(directory, name);
  const about = { key: root, repositoryId: name.split('.')[0] ?? '', name };
  return {
    ...about,
    open: async () => ({
      ...about,
      tree: join(root, 'tree'),
      gitDirectory: join(root, 'git'),
      isIgnored: () => false,
      checkpoint: async ({ paths, cause }) => {
        appendFileSync(join(root, 'checkpoints'), `${cause} ${paths?.join(' ') ?? 'all'}\n`);
        return { checkpoint: oid, tip: oid, held: [], unsettled: false, changes: [] };
      },
      headHint: async () => undefined,
      importCommits: async () => [],
      isActive: () => true,
      close: async () => undefined,
    }),
  };
}

mkdirSync(surroundings.dataDirectory, { recursive: true });
const outcome = await runDaemon(
  surroundings,
  async ({ dataDirectories }) =>
    dataDirectories.flatMap((directory) =>
      existsSync(directory) ? readdirSync(directory).map((name) => environmentIn(directory, name)) : [],
    ),
  {
    build: { version: '1.0.0', protocol: 1, stamp: Number(process.env.TEST_STAMP ?? '1') },
    idleExit: Number(process.env.TEST_IDLE_EXIT ?? '600000'),
    reload: Number(process.env.TEST_RELOAD ?? '10000'),
  },
);
writeSync(1, `${outcome}\n`);
process.exit(0);
