/**
 * The repository's hooks for merges, for each that lands at its place in the line: in its own container, which gets to see
 * the files it is merged into and nothing of the others' commits.
 */
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { pooled } from '../../platform/pool.ts';
import { isMaterialized } from '../materialize.ts';
import { type HooksRun, runMergeHooks } from '../merge/hooks.ts';
import { authorOf } from '../starting-point.ts';
import { workOf } from '../work.ts';
import type { Workplace } from '../workplace.ts';
import type { Refused } from './candidates.ts';
import type { Link, Linked } from './chain.ts';

export interface Hooked {
  readonly runs: ReadonlyMap<EnvironmentName, HooksRun>;
  /** The first in the line: what stands after it may be refused for it alone, and is asked again without it. */
  readonly refused: Refused | undefined;
}

export interface HookOptions {
  readonly squash: boolean;
  /** Containers at work at one time. */
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** What they said for the same files and message is not asked again. */
export interface LineHooks {
  /** `before`: where the branch is. */
  run(chain: Linked, before: Oid): Promise<Hooked>;
}

export function lineHooks(workplace: Workplace, { squash, jobs, signal }: HookOptions): LineHooks {
  const known = new Map<string, HooksRun>();
  const without = new Map<EnvironmentName, HooksRun>();

  const runOne = async (link: Link, before: Oid): Promise<HooksRun | undefined> => {
    const { environment } = link.candidate;
    if (!isMaterialized(environment)) return undefined;
    const none = without.get(link.name);
    if (none !== undefined) return { ...none, message: link.message };
    const { tree: on } = await workplace.repository.readCommit(link.before);
    const key = JSON.stringify([link.name, on, link.tree, link.message]);
    const theirs = squash ? undefined : await workOf(workplace, environment);
    const draft = () => draftOf(workplace, link, { before, on, theirs });
    const { message } = link;
    const run = known.get(key) ?? (await runMergeHooks(workplace, environment, { draft, theirs, message, signal }));
    stopIfAborted(signal);
    if (run.ran === 'ran') known.set(key, run);
    else without.set(link.name, run);
    return run;
  };

  return {
    async run({ links }, before) {
      const runs = new Map<EnvironmentName, HooksRun>();
      const refused: (Refused & { readonly index: number })[] = [];
      await pooled(links, jobs, async (link, index) => {
        if (refused.some((each) => each.index < index)) return;
        try {
          const run = await runOne(link, before);
          if (run !== undefined) runs.set(link.name, run);
        } catch (error) {
          stopIfAborted(signal);
          if (!(error instanceof CoppiceError) || error.kind === 'bug') throw error;
          refused.push({ name: link.name, error, index });
        }
      });
      const first = refused.sort((one, other) => one.index - other.index)[0];
      return { runs, refused: first };
    },
  };
}

/** In the middle of the line HEAD is a commit with the files (`on`) that it has there, straight on the branch. */
async function draftOf(
  workplace: Workplace,
  { before: place, tree, message }: Link,
  { before, on, theirs }: { readonly before: Oid; readonly on: Oid; readonly theirs: Oid | undefined },
) {
  const { repository } = workplace;
  const author = await authorOf(workplace);
  const by = { author, committer: author };
  const head =
    place === before
      ? before
      : await repository.writeCommit({ ...by, tree: on, parents: [before], message: 'What lands before\n' });
  const parents = theirs === undefined ? [head] : [head, theirs];
  return { commit: await repository.writeCommit({ ...by, tree, parents, message }), before: head };
}

function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new CoppiceError('interrupted', 'interrupted', 'Nothing was landed.');
}
