/** What the daemon costs for each environment that it watches: nobody in them, and somebody in all of them. */
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, onTestFinished } from 'vitest';
import { errnoOf } from '../../src/platform/errno.ts';
import { coppiceIn } from '../support/coppice.ts';
import { bigRepository } from './big-repository.ts';
import { printRows } from './table.ts';

const counts = (process.env.COPPICE_BENCH_ENVIRONMENTS ?? '1,10,50').split(',').map(Number);
const files = Number(process.env.COPPICE_BENCH_FILES ?? '1000');
/** Seconds: until helpers have ended and looks are far apart, then measured. */
const [settling, measured] = [45, 40];
const busyFor = 10;

const pause = (seconds: number) => new Promise((next) => setTimeout(next, seconds * 1000));

it(`the daemon with ${counts.join(', ')} environments of ${files} files each`, async () => {
  const repository = bigRepository(files);
  const cli = coppiceIn(repository, { settings: { daemon: 'auto' } });
  const names: string[] = [];
  onTestFinished(async () => {
    for (const name of names) await cli.run(['remove', '-f', name]);
    // Last: other commands start it again.
    await cli.run(['daemon', 'stop']);
  });
  await cli.json(['daemon', 'start']);
  const { daemon } = await cli.json<{ daemon: { pid: number } }>(['daemon', 'status']);
  await pause(5);
  const alone = cost(daemon.pid);
  const rows: string[][] = [];
  for (const count of counts) {
    const trees: string[] = [];
    while (names.length < count) {
      const name = `e${names.length + 1}`;
      await cli.json(['create', name, '--runtime', 'sandbox']);
      names.push(name);
    }
    for (const name of names) trees.push((await cli.json<{ worktree: string }>(['show', name])).worktree);
    await pause(settling);
    const idle = await over(daemon.pid, measured, () => undefined);
    const busy = await over(daemon.pid, busyFor, () => {
      for (const tree of trees) appendFileSync(join(tree, 'd1/e0/f1.txt'), 'x\n');
    });
    const per = (value: number, digits: number) => (value / count).toFixed(digits);
    rows.push([
      `${count}`,
      per((idle.memory - alone.memory) / 2 ** 20, 2),
      per(idle.share * 100, 3),
      per((busy.memory - alone.memory) / 2 ** 20, 2),
      per(busy.share * 100, 2),
    ]);
  }
  const header = ['environments', 'idle MB each', 'idle % of a core each', 'busy MB each', 'busy % of a core each'];
  printRows(`the daemon, ${(alone.memory / 2 ** 20).toFixed(0)} MB without any`, header, rows);
  process.stdout.write('busy: a file appended to every second in each of them. Targets: idle under 5 MB and 0.1 %.\n');
});

/** The share of a core taken meanwhile, and the memory at the end. `work` is done every second. */
async function over(pid: number, seconds: number, work: () => void) {
  const [before, begun] = [cost(pid), performance.now()];
  for (let second = 0; second < seconds; second++) {
    work();
    await pause(1);
  }
  const after = cost(pid);
  return { share: (after.seconds - before.seconds) / ((performance.now() - begun) / 1000), memory: after.memory };
}

interface Cost {
  readonly seconds: number;
  readonly memory: number;
}

/** Of a process and all below it, those that have ended included. */
function cost(pid: number): Cost {
  const below = childrenOf(pid).map(costOfChild);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const times = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  const memory = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? '0';
  return {
    seconds: sum(times) / 100 + sum(below.map(({ seconds }) => seconds)),
    memory: Number(memory) * 1024 + sum(below.map((each) => each.memory)),
  };
}

/** What ends while it is looked at counts with its parent, from then on. */
function costOfChild(pid: number): Cost {
  try {
    return cost(pid);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return { seconds: 0, memory: 0 };
    throw error;
  }
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean))
    .map(Number)
    .filter((child) => existsSync(`/proc/${child}/smaps_rollup`));
}
