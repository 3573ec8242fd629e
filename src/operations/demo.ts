/** `demo`: the whole of it in a minute, on a throw-away copy of coppice's own repository. */
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import type { Surroundings } from '../platform/surroundings.ts';
import { commit } from './commit.ts';
import { create } from './create.ts';
import { agents, resolution } from './demo/agents.ts';
import { median, writeToCommit } from './demo/measure.ts';
import { copyOwnRepository, graphOf, packageRoot } from './demo/repository.ts';
import { exec } from './exec.ts';
import { list } from './list.ts';
import { merge } from './merge.ts';
import { type AnyOperation, type Context, flag, operation } from './operation.ts';
import { parseInput } from './parse-input.ts';
import { remove } from './remove.ts';
import { sync } from './sync.ts';
import { plainStyle } from './views.ts';
import { watch } from './watch.ts';

export const demo = operation({
  name: 'demo',
  summary: 'Show all of it in a minute: three agents side by side, on a throw-away copy of coppice’s own repository',
  details:
    'Runs in containers where an engine answers (its image is made from this machine), else in the embedded sandbox. Leaves nothing behind but that image.',
  effect: 'write',
  tool: { withheld: 'it is a show for people' },
  version: 1,
  input: z.strictObject({
    runtime: flag(z.optional(z.enum(['docker', 'sandbox'])), { help: 'What runs the environments.', value: 'KIND' }),
    keep: flag(z._default(z.boolean(), false), { help: 'Leave repository and environments there, to look at.' }),
  }),
  async run(context, { runtime, keep }) {
    const stage = await realpath(await mkdtemp(join(tmpdir(), 'coppice-demo-')));
    const outside = context.within(await surroundingsAt(context.surroundings, stage));
    // The agents' output is not the demo's answer.
    const { streams: _, ...inner } = outside;
    const ended = new AbortController();
    let daemon: Promise<unknown> = Promise.resolve();
    try {
      await copyOwnRepository(
        context.surroundings,
        await packageRoot(context.program.at(-1) ?? ''),
        join(stage, 'repository'),
      );
      daemon = (await inner.daemon()).serve(ended.signal);
      try {
        return { ...(await perform(inner, context, runtime)), kept: keep ? stage : null };
      } finally {
        if (!keep) await removeAll(inner);
      }
    } finally {
      ended.abort();
      await daemon;
      await outside.close();
      if (!keep) await rm(stage, { recursive: true, force: true });
    }
  },
  render: ({ graph, measured, kept }, style) =>
    [
      style.bold('The history, as git draws it:'),
      graph,
      '',
      style.bold('Measured here:'),
      `  create an environment       ${measured.createMilliseconds.map((each) => `${each} ms`).join(', ')}`,
      `  file written → on branch    ${measured.writeToCommitMilliseconds} ms (median of ${measured.writes}; 150 ms of it is waiting for quiet)`,
      ...(kept === null
        ? []
        : [
            '',
            `Kept in ${kept}; its environments are listed with`,
            `  XDG_DATA_HOME=${kept}/data coppice -C ${kept}/repository list`,
          ]),
    ].join('\n'),
});

/** Everything coppice keeps goes below `stage`; what the user has stays out of it. */
async function surroundingsAt(outer: Surroundings, stage: string): Promise<Surroundings> {
  const cwd = join(stage, 'repository');
  await mkdir(cwd);
  return {
    ...outer,
    cwd,
    dataDirectory: join(stage, 'data/coppice'),
    stateDirectory: join(stage, 'state'),
    runtimeDirectory: join(stage, 'run'),
    configDirectory: join(stage, 'config'),
  };
}

async function call<Output>(
  context: Context,
  target: { readonly run: (context: Context, input: never) => Promise<Output> },
  input: Readonly<Record<string, unknown>>,
): Promise<Output> {
  const parsed = parseInput(target as unknown as AnyOperation, input, ({ key }) => key);
  return target.run(context, parsed as never);
}

async function perform(inner: Context, outer: Context, asked: 'docker' | 'sandbox' | undefined) {
  const say = (line: string) => outer.report(line);
  const workplace = await inner.workplace();
  const { runtime } = await workplace.planSpec(asked === undefined ? {} : { runtime: asked }, undefined, say);
  const facts = await runtime.probe();
  say(`Runs in: ${facts.description}`);
  if (!facts.isolated)
    say('NOT ISOLATED: no container engine and no bubblewrap here, so commands run as plain processes of yours.');
  const image = facts.images ? { image: await workplace.buildBaseImage(say) } : {};

  say('\nThree environments, each a branch, a worktree and a container:');
  const createMilliseconds: number[] = [];
  const trees = new Map<string, string>();
  for (const { name, title } of agents) {
    const begun = performance.now();
    const { environments } = await call(inner, create, { name, title, runtime: runtime.kind, ...image });
    createMilliseconds.push(Math.round(performance.now() - begun));
    for (const each of environments) trees.set(each.name, each.worktree);
    say(`  ${name.padEnd(8)} ${title}`);
  }

  say('\nThree agents at work. Checkpoints land on their branches as they type:');
  await whileWatching(inner, say, async () => {
    await Promise.all(agents.map(({ name, script }) => call(inner, exec, { name, command: ['sh', '-c', script] })));
  });

  say('\nHow long from a file being written to the commit being on the branch?');
  const refFile = join(workplace.repository.commonDirectory, 'refs/heads/coppice/docs');
  const writes = await writeToCommit(trees.get('docs') ?? '', refFile, 9);
  say(`  ${writes.map((each) => Math.round(each)).join(' ')} ms`);
  await call(inner, exec, { name: 'docs', command: ['rm', 'measured.txt'] });

  await integrate(inner, say);
  return {
    graph: await graphOf(inner.surroundings, inner.surroundings.cwd),
    measured: {
      createMilliseconds,
      writeToCommitMilliseconds: Math.round(median(writes)),
      writes: writes.length,
    },
  };
}

async function whileWatching(inner: Context, say: (line: string) => void, body: () => Promise<void>): Promise<void> {
  const done = new AbortController();
  const shown = {
    ...inner,
    signal: done.signal,
    report: () => undefined,
    emit: (event: Readonly<Record<string, unknown>>) => say(`  ${watch.renderEvent?.(event, plainStyle) ?? ''}`),
  };
  const watching = call(shown, watch, {});
  try {
    await body();
  } finally {
    done.abort();
    await watching;
  }
}

/** Merge one, meet the conflict of the other, resolve it inside with plain git, merge that too. */
async function integrate(inner: Context, say: (line: string) => void): Promise<void> {
  const tell = async <Output>(
    line: string,
    target: Parameters<typeof call<Output>>[1] & { render(output: Output, style: typeof plainStyle): string },
    input: Readonly<Record<string, unknown>>,
  ) => {
    say(`\n$ coppice ${line}`);
    const output = await call(inner, target, input);
    for (const each of target.render(output, plainStyle).split('\n')) say(`  ${each}`);
  };
  await tell('merge docs', merge, { name: 'docs' });
  await tell('commit rival -m "Another title"', commit, { name: 'rival', message: 'Another title' });
  say('\n$ coppice merge rival');
  await expectConflict(inner, say);
  say('\n$ coppice sync rival        (brings main in; the conflict waits inside)');
  await call(inner, sync, { names: ['rival'] }).catch(conflictOnly(say));
  const seen = await call(inner, exec, {
    name: 'rival',
    command: ['sh', '-c', 'git status --short; sed -n 1,9p README.md'],
  });
  for (const line of seen.stdout.trimEnd().split('\n')) say(`  | ${line}`);
  say('\nSomebody resolves it there with plain git, and merges:');
  await call(inner, exec, { name: 'rival', command: ['sh', '-c', resolution] });
  await tell('merge rival', merge, { name: 'rival' });
  await tell('merge tested', merge, { name: 'tested' });
  await tell('list', list, {});
}

async function expectConflict(inner: Context, say: (line: string) => void): Promise<void> {
  try {
    await call(inner, merge, { name: 'rival' });
  } catch (error) {
    conflictOnly(say)(error);
    return;
  }
  throw new CoppiceError('bug', 'no-conflict', 'The demo’s two agents changed the same line and did not conflict.');
}

function conflictOnly(say: (line: string) => void) {
  return (error: unknown) => {
    if (!(error instanceof CoppiceError) || error.kind !== 'conflict') throw error;
    say(`  error: ${error.message}`);
    say(`  hint: ${error.hint ?? ''}`);
  };
}

async function removeAll(inner: Context): Promise<void> {
  const { environments } = await call(inner, list, {});
  for (const { name } of environments) await call(inner, remove, { name, force: true });
}
