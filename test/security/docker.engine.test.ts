/** The same vectors from inside a container of an engine; what the host does with them afterwards is the sandbox's test. */
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { testEngine } from '../support/engine.ts';
import { all, makeScene, plain } from './scene.ts';

it('what an agent plants in a container does not run on the host, and nothing of the host comes out', async () => {
  const { address, base } = testEngine();
  const scene = makeScene({ create: ['--runtime', 'docker', '--image', base], env: { DOCKER_HOST: address } });
  const { cli, canary, repository } = scene;
  await scene.create('one');
  const before = scene.outside();
  await scene.plant(
    'one',
    all.filter(({ breaksGit }) => breaksGit !== true),
  );
  for (const command of [
    ['status', 'one'],
    ['show', 'one'],
    ['commit', 'one', '-m', 'All'],
    ['stop', 'one'],
    ['merge', 'one'],
  ]) {
    const { status, stdout, stderr } = await cli.run(command);
    expect({ command, ran: existsSync(canary) }).toEqual({ command, ran: false });
    // The agent's own hooks may refuse a commit inside; stopped, it is made on the host.
    expect({ command, status, stderr }).toMatchObject({ status: command[0] === 'commit' ? expect.any(Number) : 0 });
    expect(stdout + stderr).toMatch(plain);
  }
  expect(scene.outside()).toEqual(before);
  expect(repository.git('log', '--format=%s', 'main')).toContain('Agent commits');
  expect(() => repository.git('cat-file', '-e', scene.hidden)).toThrow();
});
