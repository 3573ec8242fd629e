/** Ends an exec with everything it started. The engine itself cannot: closing its streams kills nothing. */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { hasCode } from '../../domain/error.ts';
import type { Engine } from './engine.ts';
import { statusOf } from './engine-error.ts';
import { execState, type Inside, isRunning, whoIs } from './inside.ts';
import { killScript } from './kill-script.ts';

/** Milliseconds until the whole container is ended instead. The script needs about 100. */
const patience = 10_000;

/**
 * Resolves when the exec has ended. Tries again while it runs: the abort may come before its process is there. If the
 * script cannot run or does not finish — a full process table, a tree that forks faster than it dies — the container
 * is killed and started again, which ends everything in it.
 */
export async function endTree(
  engine: Engine,
  inside: Inside,
  exec: Docker.Exec,
  mark: string,
  root: boolean,
): Promise<void> {
  try {
    await endOrRestart(engine, inside, exec, mark, root);
  } catch (error) {
    // With the container everything in it is gone.
    if (!hasCode(error, 'container-not-found')) throw error;
  }
}

async function endOrRestart(
  engine: Engine,
  inside: Inside,
  exec: Docker.Exec,
  mark: string,
  root: boolean,
): Promise<void> {
  const until = performance.now() + patience;
  for (let pause = 20; performance.now() < until; pause = Math.min(pause * 2, 500)) {
    const ran = await runScript(engine, inside, root, [mark, 'tree'], until);
    if (ran && (await execState(engine, exec)).ended) return;
    if (!(await isRunning(engine, inside.id))) return;
    await delay(pause);
  }
  const doing = { failed: `The container ${inside.name} could not be restarted`, ...inside.doing };
  await engine.call(doing, 60, async (docker, abortSignal) => {
    await docker.getContainer(inside.id).restart({ t: 0, ...(abortSignal === undefined ? {} : { abortSignal }) });
  });
}

/** To the command itself, not to its guard: tini would pass it on, except for KILL and STOP. */
export async function signalCommand(
  engine: Engine,
  inside: Inside,
  exec: Docker.Exec,
  mark: string,
  root: boolean,
  name: NodeJS.Signals,
): Promise<void> {
  const { ended } = await execState(engine, exec);
  if (!ended) await runScript(engine, inside, root, [mark, name.replace(/^SIG/, '')], performance.now() + patience);
}

/** Whether it ran to its end in time. Attached, because Podman never says of a detached exec that it has ended. */
function runScript(
  engine: Engine,
  inside: Inside,
  root: boolean,
  args: readonly string[],
  until: number,
): Promise<boolean> {
  const { user } = whoIs(inside, root);
  return engine.call({ failed: 'The command could not be ended', ...inside.doing }, 30, async (docker, abortSignal) => {
    const options = abortSignal === undefined ? {} : { abortSignal };
    try {
      const script = await docker.getContainer(inside.id).exec({
        Cmd: ['sh', '-c', killScript, 'coppice', ...args],
        User: user,
        WorkingDir: '/',
        AttachStdout: true,
        AttachStderr: true,
        ...options,
      });
      const stream = await script.start({ hijack: true, stdin: false, ...options });
      await drained(stream, until);
      const { ended, status } = await execState(engine, script);
      return ended && status === 0;
    } catch (error) {
      // The engine could not start it: so it is in a container whose process table is full, or which has stopped.
      if (statusOf(error) === undefined || statusOf(error) === 404) throw error;
      return false;
    }
  });
}

/** At its end, or at the deadline. */
function drained(stream: Duplex, until: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => stream.destroy(), Math.max(0, until - performance.now()));
    stream.on('error', () => undefined);
    stream.once('end', () => stream.destroy());
    stream.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    stream.resume();
  });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
