/** What the commands cost, beside the plain ones that do the same. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { it, onTestFinished } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { testEngine } from '../support/engine.ts';
import { makeRepository } from '../support/repository.ts';
import { bigRepository } from './big-repository.ts';
import { inTurns, print, timed } from './table.ts';

it('list of 50 environments', async () => {
  const repository = makeRepository();
  const cli = coppiceIn(repository);
  const names = Array.from({ length: 50 }, (_, index) => `e${index + 1}`);
  await cli.json(['create', 'e', '--count', '50', '--runtime', 'sandbox']);
  onTestFinished(async () => {
    for (const name of names) await cli.run(['remove', '-f', `e-${name.slice(1)}`]);
  });
  print(
    'list of 50 environments, wall time of the whole command',
    await inTurns(15, {
      'coppice list': () => cli.run(['list']),
      'git worktree list': () => repository.git('worktree', 'list'),
      'node -e 0': () => execFileSync(process.execPath, ['-e', '0']),
    }),
  );
});

it('create and exec in containers, 10,000 files', async () => {
  const { address, base } = testEngine();
  const repository = bigRepository(10_000);
  const env = { DOCKER_HOST: address };
  const cli = coppiceIn(repository, { env });
  const docker = (...args: readonly string[]) =>
    execFileSync('docker', args, { env: { ...repository.env, ...env }, encoding: 'utf8' }).trim();
  let round = 0;
  const names: string[] = [];
  onTestFinished(async () => {
    for (const name of names) await cli.run(['remove', '-f', name]);
  });
  const create = async () => {
    const name = `c${names.length}`;
    names.push(name);
    await cli.json(['create', name, '--runtime', 'docker', '--image', base]);
  };
  const plain = () => {
    round += 1;
    const tree = join(repository.directory, `plain-${round}`);
    repository.git('worktree', 'add', '-q', '--no-track', '-b', `plain-${round}`, tree);
    const id = docker('run', '-d', '--init', '-v', `${tree}:/workspace`, base, 'sleep', '3600');
    return () => docker('rm', '-f', id);
  };
  const leftovers: (() => void)[] = [];
  process.stdout.write(`\nfirst create (makes the base store as well): ${(await timed(create)).toFixed(0)} ms\n`);
  print(
    'create, 10,000 files',
    await inTurns(5, {
      'coppice create': create,
      'git worktree add && docker run -d': () => leftovers.push(plain()),
    }),
  );
  const container = docker('run', '-d', '--init', base, 'sleep', '3600');
  print(
    'exec true',
    await inTurns(7, {
      'coppice exec c0 -- true (checkpoint and record included)': () => cli.run(['exec', 'c0', '--', 'true']),
      'docker exec': () => docker('exec', container, 'true'),
    }),
  );
  for (const remove of [...leftovers, () => docker('rm', '-f', container)]) remove();
});
