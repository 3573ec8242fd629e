/** Ends an exec with everything it started. The engine itself cannot: closing its streams kills nothing. */
import type Docker from 'dockerode';
import type { Engine } from './engine.ts';
import { execState, type Inside, whoIs } from './inside.ts';
import { killScript } from './kill-script.ts';

/** Milliseconds until the whole container is ended instead. The script needs about 100. */
const patience = 15_000;

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
  const until = performance.now() + patience;
  for (let pause = 20; performance.now() < until; pause = Math.min(pause * 2, 500)) {
    const ran = await runScript(engine, inside, root, [mark, 'tree'], until);
    if (ran && (await execState(engine, exec)).ended) return;
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

/** Whether it ran to its end in time. */
function runScript(
  engine: Engine,
  inside: Inside,
  root: boolean,
  args: readonly string[],
  until: number,
): Promise<boolean> {
  const { user } = whoIs(inside, root);
  return engine.call({ failed: 'The command could not be ended', ...inside.doing }, 30, async (docker, abortSignal) => {
    const script = await docker.getContainer(inside.id).exec({
      Cmd: ['sh', '-c', killScript, 'coppice', ...args],
      User: user,
      WorkingDir: '/',
      ...(abortSignal === undefined ? {} : { abortSignal }),
    });
    const said = await script.start({ Detach: true, ...(abortSignal === undefined ? {} : { abortSignal }) });
    said.resume();
    for (let pause = 10; performance.now() < until; pause = Math.min(pause * 1.5, 200)) {
      const { ended, status } = await execState(engine, script);
      if (ended) return status === 0;
      await delay(pause);
    }
    return false;
  });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
