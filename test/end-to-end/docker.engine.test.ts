import { execFileSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { eventually } from '../support/eventually.ts';
import { type Ground, mainPath, sceneOn } from './main-path.ts';

const env = () => ({ DOCKER_HOST: inject('engine').address });

const docker: Ground = {
  name: 'the Docker engine',
  create: ['--runtime', 'docker', '--image', inject('engine').base],
  env,
  isolated: true,
  cleanUp: async () => undefined,
};

mainPath(docker);

function engine(...args: readonly string[]): string {
  return execFileSync('docker', args, { env: { ...process.env, ...env() }, encoding: 'utf8' }).trim();
}

/** By its worktree: other tests have environments of the same name on this engine. */
const containerAt = (worktree: string) => engine('ps', '-aq', '--filter', `volume=${worktree}`);

describe('containers', () => {
  it('out of memory says so in status and to whoever ran the command; neighbours feel nothing', async () => {
    const scene = sceneOn(docker);
    await scene.create('greedy', '--memory', '64m');
    await scene.create('modest', '--memory', '64m');
    const neighbour = scene.cli.start(['exec', 'modest', '--', 'sh', '-c', 'echo up; read line; echo "$line"']);
    let heard = '';
    neighbour.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk.toString('utf8');
    });
    await eventually(
      () => heard.includes('up'),
      () => heard,
      60_000,
    );
    const script = 'x=0123456789abcdef; while :; do x=$x$x; done';
    const done = await scene.exec('greedy', script);
    expect(done.status).toBe(137);
    expect(done.stderr).toContain('Out of memory: something in greedy met its limit of 64 MiB');
    const stateOf = async (name: string) => (await scene.cli.json<{ state: string }>(['status', name])).state;
    expect(await stateOf('greedy')).toBe('oom_killed');
    expect(await stateOf('modest')).toBe('running');
    neighbour.stdin?.end('still here\n');
    await eventually(
      () => heard.includes('still here'),
      () => heard,
      60_000,
    );
    // It can be worked in, and a new start is a new beginning.
    const again = await scene.cli.json<{ exit: number; oomKilled: boolean }>(['exec', 'greedy', '--', 'true']);
    expect(again).toMatchObject({ exit: 0, oomKilled: false });
    await scene.cli.json(['stop', 'greedy']);
    await scene.cli.json(['start', 'greedy']);
    expect(await stateOf('greedy')).toBe('running');
  });

  it('leaves nothing of root’s in the tree, not even what a process left behind writes, and no set-user-id bit', async () => {
    const scene = sceneOn(docker);
    const { worktree } = await scene.create('one', '--allow-root');
    const user = process.getuid?.();
    const script =
      'cp /bin/sh tool && chown 4321 tool && chmod 4755 tool; (until test -e go; do sleep 0.1; done; echo late > late.txt; chown 1234 late.txt) >/dev/null 2>&1 & mkdir -m 700 d; touch d/f; chown -R 1234 d';
    const made = await scene.cli.run(['exec', 'one', '--root', '--', 'sh', '-c', script]);
    expect(made.status).toBe(0);
    expect(statSync(join(worktree, 'tool'))).toMatchObject({ uid: user });
    expect(statSync(join(worktree, 'tool')).mode & 0o6000).toBe(0);
    expect(statSync(join(worktree, 'd/f')).uid).toBe(user);
    writeFileSync(join(worktree, 'go'), '');
    await eventually(
      () => existsSync(join(worktree, 'late.txt')) && statSync(join(worktree, 'late.txt')).uid === 1234,
      () => 'late.txt',
      60_000,
    );
    await scene.exec('one', 'true');
    expect(statSync(join(worktree, 'late.txt')).uid).toBe(user);
  });

  it('gives back what root made in the tree, and refuses root where it is not allowed', async () => {
    const scene = sceneOn(docker);
    const { worktree } = await scene.create('one', '--allow-root');
    const made = await scene.cli.run([
      'exec',
      'one',
      '--root',
      '--',
      'sh',
      '-c',
      'echo r > r.txt; chown 1234:1234 r.txt; id -u',
    ]);
    expect(made).toMatchObject({ status: 0, stdout: '0\n' });
    expect(statSync(join(worktree, 'r.txt')).uid).toBe(process.getuid?.());
    expect(scene.repository.git('show', 'coppice/one:r.txt')).toBe('r');
    await scene.create('two');
    expect((await scene.cli.run(['exec', 'two', '--root', '--', 'id'])).status).toBe(6);
  });

  it('has no capability, no new privileges, no way to the repository, and its limits', async () => {
    const scene = sceneOn(docker);
    const { worktree } = await scene.create('one', '--memory', '256m', '--network', 'none');
    const [inspected] = JSON.parse(engine('inspect', containerAt(worktree)));
    expect(inspected.HostConfig).toMatchObject({
      CapDrop: ['ALL'],
      Privileged: false,
      Memory: 256 * 2 ** 20,
      MemorySwap: 256 * 2 ** 20,
      NetworkMode: 'none',
    });
    expect(inspected.HostConfig.SecurityOpt).toContain('no-new-privileges');
    const mounted: string[] = inspected.Mounts.map(({ Source }: { Source: string }) => Source);
    expect(mounted.filter((source) => source.startsWith(scene.repository.path))).toEqual([]);
    const tried = await scene.exec(
      'one',
      `ls ${scene.repository.path}; rm -f .git; mv .git x; echo y > /coppice/base.git/y; git log --oneline | wc -l`,
    );
    expect(tried.stdout).toBe('1\n');
  });

  it('is made anew by start when somebody removed it, with the work and the agent’s git in place', async () => {
    const scene = sceneOn(docker);
    const { worktree } = await scene.create('one');
    await scene.exec('one', 'echo c > c.txt; git add .; git commit -qm C; echo d > d.txt');
    engine('rm', '-f', containerAt(worktree));
    const { environments } = await scene.cli.json<{ environments: { state: string }[] }>(['list']);
    expect(environments).toMatchObject([{ state: 'missing' }]);
    const refused = await scene.exec('one', 'true');
    expect(refused.status).toBe(5);
    expect(refused.stderr).toContain('coppice start one');
    await scene.cli.json(['start', 'one']);
    expect((await scene.exec('one', 'git log -1 --format=%s; git status --porcelain')).stdout).toBe('C\n?? d.txt\n');
  });

  it('leaves nothing behind when the image does not exist', async () => {
    const scene = sceneOn(docker);
    const before = scene.repository.git('for-each-ref');
    const failed = await scene.cli.run([
      'create',
      'imageless',
      '--runtime',
      'docker',
      '--image',
      'localhost:5999/none',
    ]);
    expect(failed.status).toBe(5);
    expect(failed.stderr).toContain('localhost:5999/none');
    expect(scene.repository.git('for-each-ref')).toBe(before);
    expect(engine('ps', '-aq', '--filter', 'label=dev.coppice.environment=imageless')).toBe('');
  });

  it('works without git in the image: checkpoints, commits and merges are made outside', async () => {
    const scene = sceneOn({ ...docker, create: ['--runtime', 'docker', '--image', inject('engine').busybox] });
    await scene.create('one');
    await scene.exec('one', 'echo w > w.txt');
    await scene.cli.json(['commit', 'one', '-m', 'Made outside']);
    await scene.exec('one', 'echo x > x.txt');
    await scene.cli.json(['merge', 'one']);
    expect(scene.repository.git('log', '--format=%s', 'main').split('\n')).toEqual([
      'Merge environment one',
      'Work of one',
      'Made outside',
      'first',
    ]);
  });

  it('starts at a colleague’s from the references alone', async () => {
    const scene = sceneOn(docker);
    await scene.create('one', '--title', 'Shared');
    await scene.exec('one', 'echo c > c.txt; git add .; git commit -qm C; echo d > d.txt');
    const { repository } = scene;
    const other = join(repository.directory, 'other');
    repository.git('clone', '-q', '.', other);
    repository.git(
      'push',
      '-q',
      other,
      'refs/coppice/one/*:refs/coppice/one/*',
      'refs/heads/coppice/one:refs/heads/coppice/one',
    );
    const home = join(repository.directory, 'colleague');
    const theirs = coppiceIn({ ...repository, path: other, home, env: homeIn(repository.env, home) }, { env: env() });
    onTestFinished(async () => {
      await theirs.run(['remove', '-f', 'one']);
    });
    await theirs.json(['start', 'one']);
    const inside = await theirs.run([
      'exec',
      'one',
      '--',
      'sh',
      '-c',
      'git log -1 --format=%s; git status --porcelain; cat d.txt',
    ]);
    expect(inside).toMatchObject({ status: 0, stdout: 'C\n?? d.txt\nd\n' });
  });
});

function homeIn(base: Readonly<Record<string, string>>, home: string): Record<string, string> {
  return {
    ...base,
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, '.local/share'),
    XDG_STATE_HOME: join(home, '.local/state'),
    XDG_RUNTIME_DIR: join(home, '.run'),
  };
}
