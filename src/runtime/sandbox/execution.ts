/** One exec from its first word to its end: what the script reports, the time limit, and how all of it is ended. */
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { CoppiceError } from '../../domain/error.ts';
import { run } from '../../platform/process.ts';
import type { ExecEnd, ExecRequest, Execution } from '../runtime.ts';
import type { Channel } from './channel.ts';
import { endingWith } from './output.ts';
import { childrenOf, endPack, findPack, type HostProcess, hostProcesses, type Pack, sendSignal } from './processes.ts';
import { sizeArguments } from './terminal.ts';

export interface ExecPlace {
  readonly channel: Channel;
  /** Which processes of the machine are this exec's. */
  readonly pack: Pack;
  /** Whether whoever was asked to run the script can still do so. */
  readonly alive: () => Promise<boolean>;
  /** After the end: the directory with the pipes can go. */
  readonly cleanUp: () => Promise<void>;
  /** For stty(1). */
  readonly path: string;
  /** How often something was killed for want of memory so far. */
  readonly oomKills: () => Promise<number>;
}

/** How long the script may take to begin: a machine under heavy load, not a wait anybody should see. */
const patience = 30_000;
/** What setTimeout can count to. */
const longest = 2 ** 31 - 1;

/** Resolves once the script has begun. Throws `engine-error` when it never does. */
export async function followExec(request: ExecRequest, place: ExecPlace): Promise<Execution> {
  const { channel, pack } = place;
  const report = readReport(channel.status);
  const killsBefore = await place.oomKills();
  await begun(report.started, place);
  await channel.letGo();

  let cut: ExecEnd | undefined;
  let cutting: Promise<void> | undefined;
  const cutFailed = deferred<never>();
  const cutShort = (end: ExecEnd) => {
    cut ??= end;
    cutting ??= endPack(pack);
    cutting.catch(cutFailed.reject);
  };
  const timer =
    request.timeoutSeconds === undefined
      ? undefined
      : setTimeout(
          () => cutShort({ ...cutEnd, status: 124, timedOut: true }),
          Math.min(request.timeoutSeconds * 1000, longest),
        );
  const onAbort = () => cutShort({ ...cutEnd, status: 137 });
  request.signal?.addEventListener('abort', onAbort, { once: true });
  if (request.signal?.aborted) onAbort();

  const ended = (async () => {
    const own = await Promise.race([report.ended, cutFailed.promise]);
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onAbort);
    await cutting;
    const end = cut ?? own;
    return end.status === 0 ? end : { ...end, oomKilled: (await place.oomKills()) > killsBefore };
  })();
  const over = ended.then(
    () => undefined,
    () => undefined,
  );
  const end = ended.finally(async () => {
    channel.stdin?.destroy();
    await place.cleanUp();
  });
  end.catch(() => undefined);
  let isOver = false;
  void over.then(() => {
    isOver = true;
  });
  const command = () => findCommand(pack, request.terminal !== undefined, () => isOver);
  return {
    stdin: channel.stdin,
    stdout: endingWith(channel.stdout, over),
    stderr: endingWith(channel.stderr, over),
    end,
    signal: async (name) => {
      const found = await command();
      // To its process group, as Ctrl-C in a terminal does: a shell alone would wait for its child.
      if (found !== undefined && !sendSignal(-found.pid, name)) sendSignal(found.pid, name);
    },
    resize: async (size) => {
      const found = await command();
      if (found === undefined || request.terminal === undefined) return;
      // Best effort: the terminal may close at any moment.
      await run('stty', ['-F', `/proc/${found.pid}/fd/0`, ...sizeArguments(size)], { env: { PATH: place.path } });
    },
  };
}

const cutEnd = { timedOut: false, failedToStart: undefined, oomKilled: false };

interface Report {
  readonly started: Promise<boolean>;
  readonly ended: Promise<ExecEnd>;
}

function readReport(status: Readable): Report {
  let text = '';
  const saidStarted = deferred<boolean>();
  const said = deferred<ExecEnd>();
  const look = () => {
    if (text.startsWith('started\n')) saidStarted.resolve(true);
    const match = /\n(failed|exit) (\S+)\n/.exec(text);
    if (match !== null) said.resolve(match[1] === 'failed' ? failure(match[2] ?? '') : exited(Number(match[2])));
  };
  status.on('data', (chunk: Buffer) => {
    // What an agent can write to is not kept without bound.
    if (text.length < 1000) text += chunk.toString('latin1');
    look();
  });
  status.on('close', () => {
    saidStarted.resolve(false);
    // The script was killed together with its command.
    said.resolve(exited(137));
  });
  void said.promise.then(() => status.destroy());
  return { started: saidStarted.promise, ended: said.promise };
}

function exited(status: number): ExecEnd {
  return {
    status: Number.isInteger(status) ? status & 0xff : 137,
    timedOut: false,
    failedToStart: undefined,
    oomKilled: false,
  };
}

function failure(why: string): ExecEnd {
  return { status: why === 'not-found' ? 127 : 126, timedOut: false, failedToStart: why, oomKilled: false };
}

async function begun(started: Promise<boolean>, place: ExecPlace): Promise<void> {
  const until = performance.now() + patience;
  let first: boolean | undefined;
  void started.then((value) => {
    first = value;
  });
  for (;;) {
    await Promise.race([started, pause(100, undefined, { ref: false })]);
    if (first === true) return;
    const lost = first === false || !(await place.alive());
    if (lost || performance.now() > until) throw notStarted(lost);
  }
}

/** `lost`: whoever was to start it is gone, so that it will not start later either. */
function notStarted(lost: boolean): CoppiceError {
  return new CoppiceError('unavailable', 'engine-error', 'The sandbox did not start the command.', {
    hint: 'Its limit of processes may be reached: `coppice stop` ends them all.',
    data: { lost },
  });
}

/** The script's child; in a terminal, the child of script(1). Waits while it is being started. */
async function findCommand(pack: Pack, inTerminal: boolean, isOver: () => boolean): Promise<HostProcess | undefined> {
  while (!isOver()) {
    const [script] = await findPack(pack);
    const processes = await hostProcesses();
    const [child] = script === undefined ? [] : childrenOf(script.pid, processes);
    const [command] = child === undefined || !inTerminal ? [child] : childrenOf(child.pid, processes);
    if (command !== undefined) return command;
    await pause(5);
  }
  return undefined;
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
