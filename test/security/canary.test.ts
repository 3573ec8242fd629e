/**
 * All vectors planted from inside, then every operation of ours on the host, with the daemon watching. The canary file,
 * which only a process outside can make, shows that nothing ran; what is outside is as it was, and nothing of it arrived.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { operationNames } from '../../src/operations/catalog.ts';
import { eventually } from '../support/eventually.ts';
import { attackOrder, everyOperation } from './every-operation.ts';
import { all, makeScene, plain, type Scene } from './scene.ts';

/** What prints something of the inside as it is: a command's own output, and a patch for `git apply`. */
const exact = new Set(['exec', 'shell', 'diff']);

async function runEverything({ cli, canary }: Scene, name: string): Promise<readonly string[]> {
  const said: string[] = [];
  for (const operation of attackOrder) {
    for (const command of everyOperation[operation](name)) {
      const { status, stdout, stderr } = await cli.run(command);
      said.push(`${command.join(' ')}: ${status}`);
      expect({ command, bug: status === 70 ? stderr : '' }).toEqual({ command, bug: '' });
      expect({ command, ran: existsSync(canary) }).toEqual({ command, ran: false });
      expect(stderr).toMatch(plain);
      if (!exact.has(operation) || command.includes('--stat')) expect(stdout).toMatch(plain);
    }
  }
  return said;
}

/** Every object of the repository, and every reference's name. */
function holdings({ repository }: Scene): string {
  const listed = ['cat-file', '--batch-all-objects', '--unordered', '--batch', '--buffer'];
  const options = { cwd: repository.path, env: repository.env, maxBuffer: 2 ** 28 };
  return `${execFileSync('git', listed, options).toString('latin1')}${repository.git('for-each-ref')}`;
}

describe('what an agent plants', () => {
  it('is met by every operation there is', () => {
    expect([...attackOrder, 'watch', 'demo'].sort()).toEqual([...operationNames].sort());
  });

  it.each([
    ['while its git works', false],
    ['when it has broken its git', true],
  ])(
    'never runs on the host, takes nothing and touches nothing there: %s',
    async (_, broken) => {
      const scene = makeScene();
      const { cli, canary, repository } = scene;
      const worktree = await scene.create('one');
      const before = scene.outside();
      const watching = cli.start(['watch']);
      const events: Buffer[] = [];
      watching.stdout?.on('data', (chunk: Buffer) => events.push(chunk));
      await scene.plant(
        'one',
        all.filter((vector) => (vector.breaksGit ?? false) === broken),
      );
      const seen = () => Buffer.concat(events).toString('utf8');
      // Until the daemon has told of a change: whoever watches may have come too late for the first.
      let change = 0;
      await eventually(
        () => {
          change += 1;
          writeFileSync(join(worktree, 'watched.txt'), `${change}\n`);
          return /watched|files/.test(seen());
        },
        seen,
        60_000,
      );
      const said = await runEverything(scene, 'one');
      watching.kill('SIGINT');
      expect(seen()).toMatch(plain);
      expect(said).toEqual(
        expect.arrayContaining(['checkpoint one: 0', 'show one: 0', 'diff one: 0', 'remove -f one: 0']),
      );
      await cli.run(['daemon', 'stop']);
      expect(existsSync(canary)).toBe(false);
      expect(scene.outside()).toEqual(before);
      const held = holdings(scene);
      const has = (text: string) => held.includes(text);
      expect({ secret: has('topsecret'), work: has('worked\n'), commit: has('Agent commits') }).toEqual({
        secret: false,
        // Files arrive in any case.
        work: true,
        commit: !broken,
      });
      expect(() => repository.git('cat-file', '-e', scene.hidden)).toThrow();
      repository.git('fsck', '--strict', '--no-dangling');
      // Some sixty processes, one after the other.
    },
    240_000,
  );

  it('takes nothing out of the host: links stay links, the alternates of the agent are nobody’s business', async () => {
    const scene = makeScene();
    const { repository } = scene;
    await scene.create('one');
    await scene.plant(
      'one',
      all.filter(({ name }) => /alternates|link/.test(name)),
    );
    for (const path of ['stolen', 'through', 'up', 'root', 'loop']) {
      expect(repository.git('ls-tree', 'coppice/one', path)).toMatch(/^120000 /);
    }
    expect(repository.git('ls-tree', 'coppice/one', 'hard')).toBe('');
    expect(() => repository.git('cat-file', '-e', scene.hidden)).toThrow();
    repository.git('cat-file', '-e', 'coppice/one');
  });
});
