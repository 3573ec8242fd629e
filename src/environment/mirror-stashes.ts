/**
 * What is stashed inside appears as refs/coppice/<name>/stashes/*, oldest first: it may be all there is of some work. One that
 * is popped or dropped stays among the tails.
 */
import { CoppiceError } from '../domain/error.ts';
import { isOid, type Oid } from '../domain/oid.ts';
import type { RefUpdate } from '../git/repository.ts';
import type { Container, Runtime } from '../runtime/runtime.ts';
import { pipeInto, runInside } from './container.ts';
import type { Environment } from './environment.ts';
import { nextTail } from './follow-head.ts';
import { noteLeftInside, readLeftInside } from './mirror-branches.ts';
import type { Workplace } from './workplace.ts';

/** A bound on what one agent can put into everybody's listings of references. Older ones stay inside. */
const mostStashes = 100;

export interface Inside {
  readonly runtime: Runtime;
  readonly container: Container;
  /** Its git directory, as it is called inside. */
  readonly inside: string;
}

/** What is refused or broken stays inside, and that is told, as it is of branches. */
export async function mirrorStashes(workplace: Workplace, environment: Environment, at: Inside): Promise<void> {
  try {
    await mirror(workplace, environment, at);
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    const told = await readLeftInside(workplace, environment);
    await noteLeftInside(workplace, environment, [...told, { branches: ['the stash'], why: error.message }]);
  }
}

async function mirror(workplace: Workplace, environment: Environment, at: Inside): Promise<void> {
  const { repository, transport, agentGit } = workplace;
  const { refs, directories } = environment;
  const known = await repository.listRefs(`${refs.prefix}stashes/`);
  if (known.length === 0 && !(await agentGit.hasStash(directories.git))) return;
  const stashes = await listInside(at);
  if (stashes === undefined) return;
  const before = new Map(known.map(({ name, oid }) => [name, oid]));
  const there = new Set(before.values());
  const missing = stashes.filter((oid) => !there.has(oid));
  const open = pipeInto(at.runtime, at.container.id);
  const options = { known: [refs.branch, refs.prefix] };
  const arrived =
    missing.length === 0 ? new Set<Oid>() : await transport.fetchCommits(open, at.inside, missing, options);
  const after = new Map(
    stashes.filter((oid) => there.has(oid) || arrived.has(oid)).map((oid, index) => [refs.stash(index + 1), oid]),
  );
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  const left = [...there].filter((oid) => ![...after.values()].includes(oid));
  const first = await nextTail(workplace, environment);
  const updates: RefUpdate[] = [
    ...changed.map((name) => ({ name, before: before.get(name) ?? null, after: after.get(name) ?? null })),
    ...left.map((oid, index) => ({ name: refs.tail(first + index), before: null, after: oid })),
  ];
  if (updates.length > 0) await repository.updateRefs(updates, 'coppice: stash inside');
}

/** Oldest first; undefined where git inside does not say. */
async function listInside({ runtime, container, inside }: Inside): Promise<readonly Oid[] | undefined> {
  const command = ['git', `--git-dir=${inside}`, 'stash', 'list', '--format=%H', `--max-count=${mostStashes}`];
  const { status, stdout } = await runInside(runtime, container.id, command);
  return status === 0 ? [...new Set(stdout.split('\n').filter(isOid))].reverse() : undefined;
}
