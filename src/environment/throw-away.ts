/**
 * A worktree and a container for one commit, gone when the work in them is done. It is an environment that stays in its
 * creation: nothing looks into it meanwhile, and should we be killed, the next command rolls it back.
 */
import { randomBytes } from 'node:crypto';
import type { ResolvedSpec } from '../domain/environment.ts';
import { parseEnvironmentName } from '../domain/environment-name.ts';
import type { Oid } from '../domain/oid.ts';
import { thisProcess } from '../platform/liveness.ts';
import type { Container, Runtime } from '../runtime/runtime.ts';
import { runningContainer } from './container.ts';
import { reserve, rollBack, stopIfAborted } from './create.ts';
import { materialize } from './materialize.ts';
import { runSetup } from './setup.ts';
import { authorOf } from './starting-point.ts';
import type { Report, Workplace } from './workplace.ts';

export interface ThrowAway {
  readonly commit: Oid;
  /** Something the commit descends from and other environments start from too: its history is shared with them. */
  readonly base: Oid;
  readonly spec: ResolvedSpec;
  readonly title: string;
}

export interface Inside {
  readonly runtime: Runtime;
  readonly container: Container;
  /** Whether the spec's setup command succeeded. */
  readonly ready: boolean;
}

export async function inThrowAway<Result>(
  workplace: Workplace,
  { commit, base, spec, title }: ThrowAway,
  report: Report,
  signal: AbortSignal,
  body: (inside: Inside) => Promise<Result>,
): Promise<Result> {
  const runtime = await workplace.runtime(spec.runtime);
  if (spec.image !== null) await runtime.prepareImage(spec.image, ({ message }) => report(message), signal);
  stopIfAborted(signal);
  const author = await authorOf(workplace);
  const wanted = parseEnvironmentName(`check-${randomBytes(4).toString('hex')}`);
  const environment = await reserve(workplace, wanted, async (name, branch) => ({
    base,
    head: commit,
    tip: commit,
    record: {
      version: 1,
      name,
      title,
      target: null,
      branch,
      createdAt: workplace.now().toISOString(),
      stage: 'creating',
      creator: { host: workplace.surroundings.hostname, ...thisProcess() },
      author,
      spec,
    },
  }));
  try {
    await materialize(workplace, environment, runtime);
    stopIfAborted(signal);
    const stage = await runSetup(workplace, environment, report);
    stopIfAborted(signal);
    const { container } = await runningContainer(workplace, environment);
    return await body({ runtime, container, ready: stage === 'ready' });
  } finally {
    await rollBack(workplace, environment);
  }
}
