/** What every runtime must do: the same tests for each adapter, against the real thing. */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hasCode } from '../../src/domain/error.ts';
import type {
  Container,
  ContainerRequest,
  ExecEnd,
  ExecRequest,
  Execution,
  InsideLayout,
  Runtime,
} from '../../src/runtime/runtime.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryDirectory } from '../support/repository.ts';

/** What an adapter does not claim is not tested; what it claims must hold. */
export interface Claims {
  /** Files, processes and the network of the host are out of reach. Without it, no test may do harm. */
  readonly isolated: boolean;
  /** Images can be chosen, and a missing one is refused. */
  readonly images: boolean;
  /** `limits.memory` ends a command that takes more. */
  readonly memoryLimit: boolean;
  /** `limits.pids` stops a fork bomb. */
  readonly pidsLimit: boolean;
  /** `root: true` gives uid 0 inside. */
  readonly root: boolean;
  /** `terminal` gives a terminal that can be resized. */
  readonly terminal: boolean;
  /** A process that threw away its environment and session (`env -i setsid`) is ended with its exec as well. */
  readonly endsDetached: boolean;
  /** Files outside the mounts survive a stop and a start. */
  readonly keepsFiles: boolean;
}

export interface Subject {
  readonly runtime: Runtime;
  /** A reference that is there; null where the runtime has no images. It needs sh and the common commands. */
  readonly image: string | null;
  /** Who execs run as. Directories of the tests belong to it. */
  readonly uid: number;
  readonly gid: number;
  /** Default: none. */
  readonly network?: 'open' | 'none';
}

/** `makeRuntime` may be called several times in a test: each call is another process's view of the same containers. */
type Register = (title: string, body: () => Promise<void>) => void;

/** Registers a test of what an adapter claims to do; what it does not claim is no test of it, so nothing is skipped. */
const whereClaimed = (claimed: boolean): Register => (claimed ? test : () => undefined);

export function runtimeContract(name: string, claims: Claims, makeRuntime: () => Promise<Subject>): void {
  const subject = async (): Promise<Subject> => {
    const made = await makeRuntime();
    onTestFinished(() => made.runtime.close());
    return made;
  };

  describe(`${name}: containers`, () => {
    test('says what it is', async () => {
      const { runtime } = await subject();
      const facts = await runtime.probe();
      expect(facts.kind).toBe(runtime.kind);
      expect(facts.images).toBe(claims.images);
      expect(facts.description).not.toBe('');
    });

    test('a container is created, started, stopped, started again and removed', async () => {
      const given = await subject();
      const { runtime } = given;
      const place = await makePlace(given);
      const container = await makeContainer(given, place);
      const seen = async () => (await runtime.list(place.labels)).map(({ id, state }) => ({ id, state }));
      expect(await seen()).toEqual([{ id: container.id, state: 'created' }]);
      await runtime.start(container.id);
      expect(await seen()).toEqual([{ id: container.id, state: 'running' }]);
      await runtime.stop(container.id);
      expect(await seen()).toEqual([{ id: container.id, state: 'stopped' }]);
      await runtime.start(container.id);
      expect(await seen()).toEqual([{ id: container.id, state: 'running' }]);
      await runtime.remove(container.id);
      expect(await seen()).toEqual([]);
    });

    test('starting what runs, stopping what is stopped and removing what is gone are no errors', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      await runtime.start(container.id);
      await runtime.stop(container.id);
      await runtime.stop(container.id);
      await runtime.remove(container.id);
      await runtime.remove(container.id);
    });

    test('what is not there is container-not-found', async () => {
      const { runtime } = await subject();
      await expectCode(runtime.start('coppice-no-such-container'), 'container-not-found');
      await expectCode(runtime.stop('coppice-no-such-container'), 'container-not-found');
      await expectCode(runtime.exec('coppice-no-such-container', { command: ['true'] }), 'container-not-found');
    });

    test('the list has name, labels and image, and only what carries all labels', async () => {
      const given = await subject();
      const place = await makePlace(given);
      const one = await makeContainer(given, place, { labels: { ...place.labels, 'dev.coppice.test-part': 'one' } });
      const two = await makeContainer(given, place, { labels: { ...place.labels, 'dev.coppice.test-part': 'two' } });
      const both = await given.runtime.list(place.labels);
      expect(both.map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
      const [found] = await given.runtime.list({ ...place.labels, 'dev.coppice.test-part': 'two' });
      expect(found).toMatchObject({ id: two.id, name: two.name, image: given.image, oomKilled: false });
      expect(found?.labels).toMatchObject({ ...place.labels, 'dev.coppice.test-part': 'two' });
    });

    test('another process sees and uses the same container', async () => {
      const given = await subject();
      const { container, place } = await running(given);
      const other = await subject();
      const [found] = await other.runtime.list(place.labels);
      expect(found).toMatchObject({ id: container.id, state: 'running' });
      expect(await finish(other.runtime, container, { command: ['sh', '-c', 'echo here'] })).toMatchObject({
        stdout: 'here\n',
        status: 0,
      });
    });

    test('a name that is taken is refused, and the first container stays', async () => {
      const given = await subject();
      const place = await makePlace(given);
      const first = await makeContainer(given, place);
      await expect(makeContainer(given, place, { name: first.name })).rejects.toMatchObject({ kind: 'refused' });
      expect((await given.runtime.list(place.labels)).map(({ id }) => id)).toEqual([first.id]);
    });

    test('a missing mount source leaves nothing behind, on the host neither', async () => {
      const given = await subject();
      const place = await makePlace(given);
      const missing = join(place.directory, 'missing');
      const mounts = [{ source: missing, target: place.inside.tree, readOnly: false }];
      await expect(makeContainer(given, place, { mounts })).rejects.toMatchObject({ name: 'CoppiceError' });
      expect(await given.runtime.list(place.labels)).toEqual([]);
      expect(existsSync(missing)).toBe(false);
    });

    whereClaimed(claims.images)('a missing image is image-not-found and leaves nothing behind', async () => {
      const given = await subject();
      const place = await makePlace(given);
      const image = 'localhost:5999/coppice-no-such-image';
      await expectCode(makeContainer(given, place, { image }), 'image-not-found');
      expect(await given.runtime.list(place.labels)).toEqual([]);
      await expectCode(
        given.runtime.prepareImage(image, () => undefined),
        'image-not-found',
      );
    });

    whereClaimed(claims.images)('an image that is there needs no preparation', async () => {
      const given = await subject();
      const said: string[] = [];
      await given.runtime.prepareImage(given.image ?? 'none', (progress) => said.push(progress.message));
      expect(said).toEqual([]);
    });
  });

  describe(`${name}: what is inside`, () => {
    test('files written inside are the user’s on the host, and the other way round', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given);
      writeFileSync(join(place.tree, 'from-host'), 'host\n');
      const ended = await finish(runtime, container, {
        command: ['sh', '-c', 'cat from-host; echo inside > made; id -u'],
      });
      expect(ended).toMatchObject({ stdout: expect.stringMatching(/^host\n\d+\n$/), stderr: '', status: 0 });
      expect(readFileSync(join(place.tree, 'made'), 'utf8')).toBe('inside\n');
      const { uid, gid } = lstatSync(join(place.tree, 'made'));
      expect({ uid, gid }).toEqual({ uid: given.uid, gid: given.gid });
    });

    test('the working directory is the tree, HOME is the home, the user has a name', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given);
      const command = ['sh', '-c', 'pwd; echo "$HOME"; whoami; echo "$FROM_REQUEST"; touch "$HOME/x"'];
      const ended = await finish(runtime, container, { command });
      expect(ended.stderr).toBe('');
      const [workdir, home, who, fromRequest] = ended.stdout.split('\n');
      expect({ workdir, home, fromRequest }).toEqual({
        workdir: place.inside.tree,
        home: place.inside.home,
        fromRequest: 'as requested',
      });
      expect(who).not.toBe('');
    });

    test('an exec has its own environment and working directory', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const request = {
        command: ['sh', '-c', 'pwd; printf "%s" "$SOME"'],
        workdir: '/tmp',
        environment: { SOME: 'two\nlines and "quotes"' },
      };
      expect(await finish(runtime, container, request)).toMatchObject({ stdout: '/tmp\ntwo\nlines and "quotes"' });
    });

    whereClaimed(claims.isolated)('a read-only mount cannot be written', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given);
      writeFileSync(join(place.base, 'base-file'), 'base\n');
      const script = `cat ${place.inside.base}/base-file; touch ${place.inside.base}/new`;
      const ended = await finish(runtime, container, { command: ['sh', '-c', script] });
      expect(ended.stdout).toBe('base\n');
      expect(ended.status).not.toBe(0);
      expect(existsSync(join(place.base, 'new'))).toBe(false);
    });

    whereClaimed(claims.isolated)('what is on the host outside the mounts is out of reach', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given);
      writeFileSync(join(place.directory, 'secret'), 'secret\n');
      const ended = await finish(runtime, container, {
        command: ['sh', '-c', `cat ${place.directory}/secret; ls /var/run/docker.sock /run/docker.sock`],
      });
      expect(ended.stdout).toBe('');
      expect(ended.status).not.toBe(0);
    });

    whereClaimed(claims.isolated)('without network there is only the loopback', async () => {
      const given = await subject();
      const { container, runtime } = await running(given, { network: 'none' });
      const ended = await finish(runtime, container, { command: ['sh', '-c', 'tail -n +3 /proc/net/dev'] });
      const interfaces = ended.stdout
        .split('\n')
        .map((line) => line.split(':')[0]?.trim())
        .filter((each) => each !== '');
      expect(interfaces).toEqual(['lo']);
    });

    test('files outside the mounts survive a stop, processes do not', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given);
      const mark = uniqueNumber();
      const keep = claims.keepsFiles ? '/tmp/kept' : `${place.inside.home}/kept`;
      await finish(runtime, container, {
        command: ['sh', '-c', `echo kept > ${keep}; sleep ${mark} >/dev/null 2>&1 &`],
      });
      expect(await countProcesses(runtime, container, mark)).toBe(1);
      await runtime.stop(container.id);
      await runtime.start(container.id);
      expect(await countProcesses(runtime, container, mark)).toBe(0);
      expect((await finish(runtime, container, { command: ['cat', keep] })).stdout).toBe('kept\n');
    });

    test('root is refused unless it was allowed', async () => {
      const given = await subject();
      const { container, runtime } = await running(given, { root: false });
      await expect(runtime.exec(container.id, { command: ['id', '-u'], root: true })).rejects.toMatchObject({
        kind: 'refused',
      });
    });

    whereClaimed(claims.root)('root may change the system inside where it was allowed', async () => {
      const given = await subject();
      const { container, runtime } = await running(given, { root: true });
      const script = 'id -u; touch /etc/by-root; chown 12345 /etc/by-root; stat -c %u /etc/by-root; echo $HOME';
      const ended = await finish(runtime, container, { command: ['sh', '-c', script], root: true });
      expect(ended).toMatchObject({ stdout: '0\n12345\n/root\n', stderr: '', status: 0 });
    });

    whereClaimed(claims.pidsLimit)('a fork bomb ends at the limit', async () => {
      const given = await subject();
      const { container, runtime } = await running(given, { limits: { pids: 32 } });
      // The bomb leaves its children behind, the shell around it waits: nothing new can start until the time is up.
      const bomb = 'i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; wait';
      const ended = await finish(runtime, container, {
        command: ['sh', '-c', `(${bomb}); sleep 60`],
        timeoutSeconds: 6,
      });
      expect(ended.stderr).not.toBe('');
      expect(ended.timedOut).toBe(true);
      const after = await finish(runtime, container, { command: ['sh', '-c', 'echo alive'] });
      expect(after.stdout).toBe('alive\n');
    });

    whereClaimed(claims.memoryLimit)('a command over the memory limit is killed, the container is not', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given, { limits: { memory: 32 * 2 ** 20 } });
      const command = ['sh', '-c', 'x=0123456789abcdef; while :; do x=$x$x; done'];
      const neighbour = await running(given, { limits: { memory: 32 * 2 ** 20 } });
      expect(await finish(runtime, container, { command })).toMatchObject({ status: 137, oomKilled: true });
      const listed = await given.runtime.list(place.labels);
      expect(listed.find(({ id }) => id === container.id)).toMatchObject({ state: 'running', oomKilled: true });
      const beside = await given.runtime.list(neighbour.place.labels);
      expect(beside.find(({ id }) => id === neighbour.container.id)).toMatchObject({ oomKilled: false });
      // Only what was killed while it ran is a command's own.
      expect(await finish(runtime, container, { command: ['sh', '-c', 'exit 3'] })).toMatchObject({
        status: 3,
        oomKilled: false,
      });
      await runtime.stop(container.id);
      await runtime.start(container.id);
      const again = await given.runtime.list(place.labels);
      expect(again.find(({ id }) => id === container.id)).toMatchObject({ state: 'running', oomKilled: false });
    });
  });

  describe(`${name}: execs`, () => {
    test('stdout and stderr are apart and the status is the command’s own', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const command = ['sh', '-c', 'echo out; echo err >&2; exit 37'];
      expect(await finish(runtime, container, { command })).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        status: 37,
        timedOut: false,
        failedToStart: undefined,
        oomKilled: false,
      });
    });

    test('a signal is 128 and its number', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const status = async (signal: string) =>
        (await finish(runtime, container, { command: ['sh', '-c', `kill -${signal} $$`] })).status;
      expect(await status('KILL')).toBe(137);
      expect(await status('TERM')).toBe(143);
    });

    test('126 and 127 of the command itself are not taken for a failed start', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      for (const status of [126, 127]) {
        const ended = await finish(runtime, container, { command: ['sh', '-c', `echo own; exit ${status}`] });
        expect(ended).toMatchObject({ stdout: 'own\n', status, failedToStart: undefined });
      }
    });

    test('a command that cannot be started says why, and shows no output of the engine', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given);
      writeFileSync(join(place.tree, 'plain-file'), 'not a program\n');
      chmodSync(join(place.tree, 'plain-file'), 0o644);
      const cases = [
        { request: { command: ['coppice-no-such-program'] }, status: 127, failedToStart: 'not-found' },
        { request: { command: ['./plain-file'] }, status: 126, failedToStart: 'not-executable' },
        { request: { command: ['true'], workdir: '/no/such/directory' }, status: 126, failedToStart: 'bad-workdir' },
      ];
      for (const { request, status, failedToStart } of cases) {
        expect(await finish(runtime, container, request)).toEqual({
          stdout: '',
          stderr: '',
          status,
          timedOut: false,
          failedToStart,
          oomKilled: false,
        });
      }
    });

    test('stdin is empty unless it is joined', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const execution = await runtime.exec(container.id, { command: ['wc', '-c'] });
      expect(execution.stdin).toBeUndefined();
      expect((await outcome(execution)).stdout.trim()).toBe('0');
    });

    test('bytes go through unchanged, and the end of stdin arrives', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const sent = randomBytes(5 * 2 ** 20);
      const execution = await runtime.exec(container.id, { command: ['cat'], stdin: true });
      execution.stdin?.end(sent);
      const [received, end] = await Promise.all([buffer(execution.stdout), execution.end, text(execution.stderr)]);
      expect(digest(received)).toBe(digest(sent));
      expect(end.status).toBe(0);
    });

    test('a command that does not read its stdin ends all the same', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const execution = await runtime.exec(container.id, { command: ['true'], stdin: true });
      execution.stdin?.on('error', () => undefined);
      execution.stdin?.end(randomBytes(2 ** 20));
      expect((await outcome(execution)).status).toBe(0);
    });

    test('a slow reader holds the command back, and gets everything', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const size = 24 * 2 ** 20;
      const execution = await runtime.exec(container.id, {
        command: ['sh', '-c', `head -c ${size} /dev/zero; echo written >&2`],
      });
      let read = 0;
      let readWhenWritten = 0;
      execution.stderr.once('data', () => {
        readWhenWritten = read;
      });
      const errors = text(execution.stderr);
      await eventually(() => execution.stdout.readableLength > 0);
      let largest = 0;
      for await (const chunk of execution.stdout) {
        read += (chunk as Buffer).length;
        largest = Math.max(largest, execution.stdout.readableLength);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(read).toBe(size);
      expect(largest).toBeLessThan(2 ** 21);
      // It could not finish writing before most of it had been read: nothing in between took it all.
      expect(readWhenWritten).toBeGreaterThan(size / 2);
      expect(await errors).toBe('written\n');
      expect((await execution.end).status).toBe(0);
    });

    test('a background child that holds the output open does not hold the exec', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const mark = uniqueNumber();
      const ended = await finish(runtime, container, { command: ['sh', '-c', `sleep ${mark} & echo started; exit 5`] });
      expect(ended).toMatchObject({ stdout: 'started\n', status: 5, timedOut: false });
      expect(await countProcesses(runtime, container, mark)).toBe(1);
    });

    test('many execs at once do not mix', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const numbers = Array.from({ length: 8 }, (_, index) => index);
      const ended = await Promise.all(
        numbers.map((number) =>
          finish(runtime, container, { command: ['sh', '-c', `echo ${number}; exit ${number}`] }),
        ),
      );
      expect(ended.map(({ stdout, status }) => [stdout, status])).toEqual(
        numbers.map((number) => [`${number}\n`, number]),
      );
    });

    test('a container that does not run is refused', async () => {
      const given = await subject();
      const container = await makeContainer(given, await makePlace(given));
      await expect(given.runtime.exec(container.id, { command: ['true'] })).rejects.toMatchObject({ kind: 'refused' });
    });

    test('stopping the container ends its execs', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const execution = await runtime.exec(container.id, { command: ['sh', '-c', 'echo up; sleep 1000'] });
      await firstBytes(execution.stdout);
      await runtime.stop(container.id);
      expect((await outcome(execution)).status).not.toBe(0);
    });
  });

  describe(`${name}: ending an exec`, () => {
    test('at its time limit nothing of it survives', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const mark = uniqueNumber();
      const ended = await finish(runtime, container, {
        command: ['sh', '-c', family(mark, claims)],
        timeoutSeconds: 8,
      });
      expect(ended).toMatchObject({ status: 124, timedOut: true });
      // The family was there: each of its members said so.
      expect(ended.stdout.split('\n').filter((line) => line === 'member')).toHaveLength(membersOf(claims));
      expect(await countProcesses(runtime, container, mark)).toBe(0);
    });

    test('aborting it leaves nothing of it, and others alone', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const [mark, otherMark] = [uniqueNumber(), uniqueNumber()];
      const other = await runtime.exec(container.id, { command: ['sh', '-c', `sleep ${otherMark}`] });
      const abort = new AbortController();
      const execution = await runtime.exec(container.id, {
        command: ['sh', '-c', `${family(mark, claims)}`],
        signal: abort.signal,
      });
      const ended = outcome(execution);
      await eventually(async () => (await countProcesses(runtime, container, mark)) >= membersOf(claims));
      abort.abort();
      expect(await ended).toMatchObject({ status: 137, timedOut: false });
      expect(await countProcesses(runtime, container, mark)).toBe(0);
      expect(await countProcesses(runtime, container, otherMark)).toBeGreaterThan(0);
      await other.signal('SIGKILL');
    });

    test('what was aborted before it began is interrupted', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const request = { command: ['true'], signal: AbortSignal.abort() };
      await expect(runtime.exec(container.id, request)).rejects.toMatchObject({ kind: 'interrupted' });
    });

    test('a signal reaches the command', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const script = 'trap "echo got; exit 7" TERM; echo ready; while :; do sleep 0.05; done';
      const execution = await runtime.exec(container.id, { command: ['sh', '-c', script] });
      const first = await firstBytes(execution.stdout);
      expect(first).toBe('ready\n');
      await execution.signal('SIGTERM');
      expect(await outcome(execution)).toMatchObject({ stdout: 'got\n', status: 7 });
    });

    test('an interrupt reaches what a shell waits for', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const script = 'echo ready; sleep 4000; echo after';
      const execution = await runtime.exec(container.id, { command: ['sh', '-c', script] });
      await firstBytes(execution.stdout);
      await execution.signal('SIGINT');
      expect((await outcome(execution)).status).toBe(130);
    });

    test('a signal after the end is no error', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const execution = await runtime.exec(container.id, { command: ['true'] });
      await outcome(execution);
      await execution.signal('SIGTERM');
    });

    whereClaimed(claims.isolated)('killing everything it can reach does not end the container', async () => {
      const given = await subject();
      const { container, place, runtime } = await running(given);
      await finish(runtime, container, { command: ['sh', '-c', 'kill -9 -1; exit 0'] });
      expect((await finish(runtime, container, { command: ['echo', 'alive'] })).stdout).toBe('alive\n');
      expect(await runtime.list(place.labels)).toMatchObject([{ state: 'running' }]);
    });
  });

  describe(`${name}: terminals`, () => {
    whereClaimed(claims.terminal)('a terminal has the size asked for, and is resized', async () => {
      const given = await subject();
      const { container, runtime } = await running(given);
      const waitFor = (size: string) => `until [ "$(stty size)" = "${size}" ]; do sleep 0.05; done; echo ${size}`;
      const execution = await runtime.exec(container.id, {
        command: [
          'sh',
          '-c',
          `test -t 0 && test -t 1 && ${waitFor('40 100')}; ${waitFor('24 80')}; read x; echo "<$x>"`,
        ],
        terminal: { rows: 40, columns: 100 },
        stdin: true,
        timeoutSeconds: 120,
      });
      let seen = '';
      execution.stdout.on('data', (chunk: Buffer) => {
        seen += chunk.toString('utf8');
      });
      const errors = text(execution.stderr);
      await eventually(() => seen.includes('40 100'));
      await execution.resize({ rows: 24, columns: 80 });
      await eventually(() => seen.includes('24 80'));
      execution.stdin?.write('typed\n');
      const end = await execution.end;
      expect(end.status).toBe(0);
      await eventually(() => seen.includes('<typed>'));
      expect(await errors).toBe('');
    });
  });
}

/** An environment's directories on the host, with labels of its own, and where they are inside. */
interface Place {
  readonly directory: string;
  readonly tree: string;
  readonly base: string;
  readonly inside: InsideLayout;
  readonly labels: Readonly<Record<string, string>>;
  readonly request: ContainerRequest;
}

let places = 0;

async function makePlace(given: Subject): Promise<Place> {
  const directory = temporaryDirectory();
  chmodSync(directory, 0o755);
  const host = {
    tree: join(directory, 'tree'),
    git: join(directory, 'git'),
    base: join(directory, 'base.git'),
    home: join(directory, 'home'),
  };
  for (const path of Object.values(host)) {
    mkdirSync(path);
    if (process.getuid?.() === 0) chownSync(path, given.uid, given.gid);
  }
  const inside = await given.runtime.layout(host);
  places += 1;
  const labels = { 'dev.coppice.test': `${process.pid}-${Date.now()}-${places}` };
  const request: ContainerRequest = {
    name: `coppice-test-${process.pid}-${Date.now()}-${places}`,
    image: given.image,
    labels,
    hostname: 'some-environment',
    mounts: [
      { source: host.tree, target: inside.tree, readOnly: false },
      { source: host.git, target: inside.git, readOnly: false },
      { source: host.base, target: inside.base, readOnly: true },
      { source: host.home, target: inside.home, readOnly: false },
    ],
    workdir: inside.tree,
    user: { uid: given.uid, gid: given.gid, name: 'tester', home: inside.home },
    environment: { FROM_REQUEST: 'as requested' },
    limits: {},
    network: given.network ?? 'none',
    root: false,
  };
  return { directory, tree: host.tree, base: host.base, inside, labels, request };
}

async function makeContainer(given: Subject, place: Place, change: Partial<ContainerRequest> = {}): Promise<Container> {
  containers += 1;
  const name = `${place.request.name}-${containers}`;
  const container = await given.runtime.create({ ...place.request, name, ...change });
  onTestFinished(() => given.runtime.remove(container.id));
  return container;
}

let containers = 0;

async function running(given: Subject, change: Partial<ContainerRequest> = {}) {
  const place = await makePlace(given);
  const container = await makeContainer(given, place, change);
  await given.runtime.start(container.id);
  return { container, place, runtime: given.runtime };
}

type Outcome = ExecEnd & { readonly stdout: string; readonly stderr: string };

async function outcome(execution: Execution): Promise<Outcome> {
  const [stdout, stderr, end] = await Promise.all([text(execution.stdout), text(execution.stderr), execution.end]);
  return { stdout, stderr, ...end };
}

async function finish(runtime: Runtime, container: Container, request: ExecRequest): Promise<Outcome> {
  return outcome(await runtime.exec(container.id, request));
}

/** The first thing a stream says; the rest stays readable. */
function firstBytes(stream: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('readable', () => resolve(String(stream.read())));
  });
}

let marks = 0;

/** A number no other process sleeps for. */
function uniqueNumber(): string {
  marks += 1;
  return `${100_000 + (process.pid % 10_000)}${Date.now() % 1000}${marks}`;
}

/** Processes inside whose command line has `mark`, the search itself aside. */
async function countProcesses(runtime: Runtime, container: Container, mark: string): Promise<number> {
  const pattern = `${mark.slice(0, -1)}[${mark.slice(-1)}]`;
  const script = `grep -l '${pattern}' /proc/[0-9]*/cmdline 2>/dev/null | wc -l`;
  return Number((await finish(runtime, container, { command: ['sh', '-c', script] })).stdout.trim());
}

/** The kinds of child that outlive other ways of killing: plain, own session, double fork, deaf, without environment. */
function family(mark: string, claims: Claims): string {
  const member = `echo member; sleep ${mark}`;
  const members = [
    `sh -c '${member}; :' &`,
    `setsid sh -c '${member}; :' &`,
    `( ( sh -c '${member}; :' & ) & )`,
    `sh -c 'trap "" TERM INT HUP; ${member}; sleep ${mark}' &`,
    ...(claims.endsDetached ? [`env -i PATH="$PATH" setsid sh -c '${member}; :' &`] : []),
  ];
  return `${members.join('\n')}\nwait; sleep ${mark}`;
}

function membersOf(claims: Claims): number {
  return claims.endsDetached ? 5 : 4;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function expectCode(promise: Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(hasCode(error, code), `expected ${code}, got ${String(error)}`).toBe(true);
}
