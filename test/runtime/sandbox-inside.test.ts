/** What is special about the embedded runtime: what it hides, what its execs share, and what it leaves behind. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import type { ContainerRequest, ExecRequest } from '../../src/runtime/runtime.ts';
import { openSandboxRuntime } from '../../src/runtime/sandbox/sandbox.ts';
import { requireBubblewrap } from '../support/bubblewrap.ts';
import { hermeticEnvironment, temporaryDirectory } from '../support/repository.ts';

requireBubblewrap();

type Variant = 'bubblewrap' | 'plain';

interface Options {
  readonly variant?: Variant;
  readonly change?: Partial<ContainerRequest>;
  readonly path?: string;
}

async function standing({ variant = 'bubblewrap', change = {}, path }: Options = {}) {
  const directory = temporaryDirectory();
  const host = {
    tree: join(directory, 'tree'),
    git: join(directory, 'git'),
    base: join(directory, 'base'),
    home: join(directory, 'home'),
  };
  for (const each of Object.values(host)) mkdirSync(each);
  const env = { ...hermeticEnvironment(join(directory, 'user')), ...(path === undefined ? {} : { PATH: path }) };
  mkdirSync(join(directory, 'user'));
  const surroundings = surroundingsOf('/', env);
  const stateDirectory = join(surroundings.dataDirectory, '.sandboxes');
  const runtime = await openSandboxRuntime({ stateDirectory, surroundings, variant });
  const inside = await runtime.layout(host);
  const { id } = await runtime.create({
    name: 'box',
    image: null,
    labels: {},
    hostname: 'some-environment',
    mounts: [
      { source: host.tree, target: inside.tree, readOnly: false },
      { source: host.git, target: inside.git, readOnly: false },
      { source: host.home, target: inside.home, readOnly: false },
    ],
    workdir: inside.tree,
    user: { uid: surroundings.uid, gid: surroundings.gid, name: surroundings.userName, home: inside.home },
    environment: {},
    limits: {},
    network: variant === 'plain' ? 'open' : 'none',
    root: false,
    ...change,
  });
  onTestFinished(() => runtime.remove(id));
  await runtime.start(id);
  const exec = (request: ExecRequest) => runtime.exec(id, request);
  const finish = async (request: ExecRequest) => {
    const execution = await exec(request);
    const [stdout, stderr, end] = await Promise.all([text(execution.stdout), text(execution.stderr), execution.end]);
    return { stdout, stderr, status: end.status };
  };
  const shell = (script: string) => finish({ command: ['sh', '-c', script] });
  return { directory, host, inside, surroundings, stateDirectory, runtime, id, exec, finish, shell };
}

describe('in a bubblewrap sandbox', () => {
  test('nothing of the user’s home, data or secrets is there, by name neither', async () => {
    const { directory, surroundings, shell } = await standing();
    writeFileSync(join(surroundings.home, 'key'), 'secret');
    const seen = await shell(
      `ls -d ${directory} ${surroundings.home} /root /work 2>/dev/null; ls /coppice; ls -A /run`,
    );
    expect(seen.stdout).toBe('git\nrun\n');
    const told = await shell('cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr "\\0" "\\n"');
    expect(told.stdout).not.toContain(directory);
    expect((await shell('cat /etc/shadow /etc/gshadow')).stdout).toBe('');
  });

  test('there are no capabilities, no new user namespaces, and the system cannot be written', async () => {
    const { shell } = await standing();
    const seen = await shell(
      'grep -h "^Cap[EPB]" /proc/self/status | tr -d "\\n\\t"; grep NoNewPrivs /proc/self/status',
    );
    const zeros = '0'.repeat(16);
    expect(seen.stdout).toBe(`CapPrm:${zeros}CapEff:${zeros}CapBnd:${zeros}NoNewPrivs:\t1\n`);
    expect((await shell('unshare --user true')).status).not.toBe(0);
    expect((await shell('mount -o remount,rw /usr')).status).not.toBe(0);
    expect((await shell('touch /usr/x /etc/x /coppice/run/x')).stderr.match(/Read-only file system/g)).toHaveLength(3);
  });

  test('descriptors of whoever started it do not come along', async () => {
    const { shell } = await standing();
    const seen = await shell('for process in 1 2 $$; do ls /proc/$process/fd | tr "\\n" " "; echo; done');
    const [first, second, own] = seen.stdout.split('\n').map((line) => line.trim().split(' ').map(Number));
    for (const each of [first, second, own]) expect(Math.max(...(each ?? []))).toBeLessThan(16);
  });

  test('a read-only file over the tree’s .git cannot be removed, moved, written or unmounted', async () => {
    const directory = temporaryDirectory();
    const [tree, gitFile] = [join(directory, 'tree'), join(directory, 'git-file')];
    mkdirSync(tree);
    writeFileSync(gitFile, 'gitdir: /coppice/git\n');
    writeFileSync(join(tree, '.git'), 'what the host sees\n');
    const { shell } = await standing({
      change: {
        // The order does not matter: what lies below another mount comes after it.
        mounts: [
          { source: gitFile, target: '/workspace/.git', readOnly: true },
          { source: tree, target: '/workspace', readOnly: false },
        ],
      },
    });
    const script = 'rm -f .git; mv .git x; echo y > .git; umount .git; umount -l /workspace; cat .git';
    expect((await shell(script)).stdout).toBe('gitdir: /coppice/git\n');
    expect(readFileSync(join(tree, '.git'), 'utf8')).toBe('what the host sees\n');
  });

  test('the user has a name, a home of the sandbox and a host name; git and node work', async () => {
    const { inside, surroundings, shell } = await standing();
    const seen = await shell(
      'whoami; getent passwd $(id -u) | cut -d: -f6; hostname; git init -q . && git status -s; node -p 1+1',
    );
    expect(seen).toEqual({
      stdout: `${surroundings.userName}\n${inside.home}\nsome-environment\n2\n`,
      stderr: '',
      status: 0,
    });
  });

  test('without network, one exec reaches what another listens on', async () => {
    const { exec, finish } = await standing();
    const listen = "require('net').createServer((s) => s.end('hello')).listen(4321, () => console.log('up'))";
    const server = await exec({ command: ['node', '-e', listen] });
    await new Promise((resolve) => server.stdout.once('data', resolve));
    const connect = "require('net').connect(4321, '127.0.0.1').pipe(process.stdout)";
    expect((await finish({ command: ['node', '-e', connect] })).stdout).toBe('hello');
    await server.signal('SIGKILL');
    expect((await server.end).status).toBe(137);
  });

  test('with an open network, names are looked up as on the host', async () => {
    const { shell } = await standing({ change: { network: 'open' } });
    expect((await shell('cat /etc/resolv.conf')).stdout).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
    const interfaces = (table: string) => table.match(/^ *\S+:/gm);
    expect(interfaces((await shell('cat /proc/net/dev')).stdout)).toEqual(
      interfaces(readFileSync('/proc/net/dev', 'utf8')),
    );
  });

  test('one that was killed from outside stands again at the next exec', async () => {
    const { stateDirectory, shell } = await standing();
    const [pid] = readFileSync(join(stateDirectory, 'box.d', 'holder'), 'utf8').split(' ');
    process.kill(Number(pid), 'SIGKILL');
    expect((await shell('echo again')).stdout).toBe('again\n');
  });

  test('variables of the environment do nothing to the programs that set it up', async () => {
    const environment = { LD_PRELOAD: '/workspace/evil.so' };
    const { stateDirectory, finish } = await standing({ change: { environment } });
    expect((await finish({ command: ['sh', '-c', 'echo $LD_PRELOAD'] })).stdout).toBe('/workspace/evil.so\n');
    // The loader complains about what it cannot find.
    expect(readFileSync(join(stateDirectory, 'box.d', 'log'), 'utf8')).toBe('');
  });

  test('without bubblewrap it is said what to do', async () => {
    const path = temporaryDirectory();
    for (const program of ['sh', 'mkfifo', 'env']) symlinkSync(join('/usr/bin', program), join(path, program));
    await expect(standing({ path })).rejects.toMatchObject({ kind: 'unavailable', code: 'engine-unreachable' });
    const surroundings = surroundingsOf('/', { ...hermeticEnvironment(path), PATH: path });
    const runtime = await openSandboxRuntime({ stateDirectory: join(path, 'state'), surroundings });
    const facts = await runtime.probe();
    expect(facts.isolated).toBe(false);
    expect(facts.description).toContain('NOT isolated from your files (bubblewrap is not installed)');
  });
});

describe.each<Variant>(['bubblewrap', 'plain'])('in a sandbox (%s)', (variant) => {
  test('programs that open /dev/stdout and /dev/stderr can', async () => {
    const { shell } = await standing({ variant });
    expect(await shell('echo out > /dev/stdout; echo err | tee /dev/stderr >/dev/null')).toEqual({
      stdout: 'out\n',
      stderr: 'err\n',
      status: 0,
    });
  });

  test('arguments arrive as they are', async () => {
    const { finish } = await standing({ variant });
    const odd = ["it's", '$HOME `id` "x"', 'a\nb', '', '--', '*', 'ü'];
    const seen = await finish({ command: ['printf', '<%s>', ...odd] });
    expect(seen.stdout).toBe(odd.map((each) => `<${each}>`).join(''));
    const terminal = await finish({ command: ['printf', '<%s>', "it's", '$x'], terminal: { rows: 10, columns: 40 } });
    expect(terminal.stdout).toBe("<it's><$x>");
  });

  test('the environment is clean: nothing of the caller’s', async () => {
    process.env.COPPICE_TEST_LEAK = 'leaked';
    onTestFinished(() => void delete process.env.COPPICE_TEST_LEAK);
    const { shell } = await standing({ variant });
    const names = (await shell('env')).stdout.split('\n').map((line) => line.split('=')[0]);
    expect(names.filter((name) => name?.startsWith('GIT_') || name?.includes('LEAK'))).toEqual([]);
  });

  test('SIGINT arrives, and a command that signals its group hits nobody else', async () => {
    const { exec, shell } = await standing({ variant });
    const waiting = await exec({ command: ['sh', '-c', 'trap "exit 42" INT; echo up; while :; do sleep 0.05; done'] });
    await new Promise((resolve) => waiting.stdout.once('data', resolve));
    expect((await shell('kill -TERM 0')).status).toBe(143);
    await waiting.signal('SIGINT');
    expect((await waiting.end).status).toBe(42);
  });

  test('removing it leaves no file, process or control group', async () => {
    const { stateDirectory, runtime, id, shell } = await standing({
      variant,
      change: { limits: { memory: 2 ** 30, pids: 100 } },
    });
    const token = (JSON.parse(readFileSync(join(stateDirectory, 'box.json'), 'utf8')) as { token: string }).token;
    await shell('setsid sleep 4000 >/dev/null 2>&1 & mkdir -p "$HOME"/a; true');
    if (variant === 'bubblewrap') await shell('mkdir -p /tmp/shut/in && chmod 0 /tmp/shut');
    await runtime.remove(id);
    expect(readdirSync(stateDirectory)).toEqual([]);
    expect(markedProcesses(token)).toEqual([]);
    expect(execFileSync('find', ['/sys/fs/cgroup', '-name', token], { encoding: 'utf8' })).toBe('');
  });

  test('an image is refused', async () => {
    await expect(standing({ variant, change: { image: 'x' } })).rejects.toMatchObject({ code: 'no-images' });
  });
});

test('plain processes refuse to promise a network that is cut off', async () => {
  await expect(standing({ variant: 'plain', change: { network: 'none' } })).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'not-isolated',
  });
});

test('a sandbox made with bubblewrap is never run without it', async () => {
  const { stateDirectory, surroundings, id, runtime } = await standing();
  await runtime.stop(id);
  const plain = await openSandboxRuntime({ stateDirectory, surroundings, variant: 'plain' });
  await expect(plain.start(id)).rejects.toMatchObject({ code: 'engine-unreachable' });
  await expect(plain.exec(id, { command: ['true'] })).rejects.toMatchObject({ kind: 'refused' });
});

function markedProcesses(token: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environ(pid).includes(token));
}

function environ(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}
