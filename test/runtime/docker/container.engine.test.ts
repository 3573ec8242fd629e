import { describe, expect, onTestFinished, test } from 'vitest';
import { dockerRuntime } from '../../../src/runtime/docker/docker-runtime.ts';
import { engineSurroundings, testEngine } from '../../support/engine.ts';
import { finish, startContainer } from './place.ts';

function runtime() {
  const made = dockerRuntime(engineSurroundings());
  onTestFinished(() => made.close());
  return made;
}

describe('the user inside', () => {
  test('has a name, a group and a home though the image knows nothing of them', async () => {
    const docker = runtime();
    const id = await startContainer(docker);
    const { stdout, stderr } = await finish(docker, id, {
      command: ['sh', '-c', 'id -un; id -gn; grep 1234 /etc/passwd; stat -c "%u %a" /etc/passwd'],
    });
    expect({ stdout, stderr }).toEqual({
      stdout: 'ada\nada\nada:x:1234:2345::/coppice/home:/bin/sh\n0 644\n',
      stderr: '',
    });
  });

  test('keeps the line the image has', async () => {
    const docker = runtime();
    const user = { uid: 65534, gid: 65534, name: 'ada', home: '/coppice/home' };
    const id = await startContainer(docker, { user, image: testEngine().base });
    const { stdout } = await finish(docker, id, { command: ['sh', '-c', 'id -un; id -gn; grep -c . /etc/passwd'] });
    expect(stdout).toBe('nobody\nnogroup\n2\n');
  });

  test('gets another name where the image uses it for somebody else, and a valid one in any case', async () => {
    const docker = runtime();
    const nameOf = async (name: string) => {
      const user = { uid: 1234, gid: 2345, name, home: '/coppice/home' };
      const id = await startContainer(docker, { user, image: testEngine().base });
      return (await finish(docker, id, { command: ['id', '-un'] })).stdout;
    };
    expect(await nameOf('nobody')).toBe('nobody-1234\n');
    expect(await nameOf('CORP\\Ada:x')).toBe('corp-ada-x\n');
  });
});

describe('what a process inside may do', () => {
  test('it has no capability, can gain none, and is filtered', async () => {
    const docker = runtime();
    const id = await startContainer(docker);
    const { stdout } = await finish(docker, id, {
      command: ['grep', '-E', '^(Cap(Eff|Bnd|Prm)|NoNewPrivs|Seccomp):', '/proc/self/status'],
    });
    expect(stdout.replace(/\t/g, ' ')).toBe(
      'CapPrm: 0000000000000000\nCapEff: 0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n',
    );
  });

  test('where root is allowed the user still has no capability, and root none over the machine', async () => {
    const docker = runtime();
    const id = await startContainer(docker, { root: true });
    const effective = async (root: boolean) =>
      (await finish(docker, id, { command: ['grep', 'CapEff', '/proc/self/status'], root })).stdout.split('\t')[1];
    expect(await effective(false)).toBe('0000000000000000\n');
    // CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID: bits 0, 1, 3, 5, 6, 7.
    expect(await effective(true)).toBe('00000000000000eb\n');
  });

  test('a root exec is ended with children of other users', async () => {
    const docker = runtime();
    const id = await startContainer(docker, { root: true, image: testEngine().base });
    const script = 'setpriv --reuid 1234 --clear-groups sh -c "sleep 76543; :" & echo up; wait';
    const ended = await finish(docker, id, { command: ['sh', '-c', script], root: true, timeoutSeconds: 6 });
    expect(ended).toMatchObject({ stdout: 'up\n', timedOut: true });
    const left = await finish(docker, id, { command: ['sh', '-c', 'grep -l 7654[3] /proc/[0-9]*/cmdline'] });
    expect(left.stdout).toBe('');
  });
});

test('ending an exec needs no more than a busybox shell', async () => {
  const docker = runtime();
  const id = await startContainer(docker);
  const script = 'env -i setsid sleep 76544 & ( ( sleep 76544 & ) & ); echo up; wait; sleep 76544';
  const ended = await finish(docker, id, { command: ['sh', '-c', script], timeoutSeconds: 6 });
  expect(ended).toMatchObject({ stdout: 'up\n', status: 124, timedOut: true });
  const left = await finish(docker, id, { command: ['sh', '-c', 'grep -l 7654[4] /proc/[0-9]*/cmdline'] });
  expect(left.stdout).toBe('');
});

test('the base image is made once, and git and node work in it', async () => {
  const docker = runtime();
  const said: string[] = [];
  const request = {
    repository: testEngine().base.replace(/:[^:/]+$/, ''),
    node: process.execPath,
    report: ({ message }: { message: string }) => said.push(message),
  };
  expect(await docker.buildBaseImage(request)).toBe(testEngine().base);
  expect(said).toEqual([]);
  const id = await startContainer(docker, { image: testEngine().base });
  const script = 'git init -q r && cd r && git commit -q --allow-empty -m first && git log --format=%s && node -p 6*7';
  const environment = {
    ...{ GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' },
  };
  const ended = await finish(docker, id, { command: ['sh', '-c', script], workdir: '/coppice/home', environment });
  expect(ended).toMatchObject({ stdout: 'first\n42\n', stderr: '', status: 0 });
});
