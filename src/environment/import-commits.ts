/** Brings the agent's own commits, branches and stashes out, and makes the environment's branch follow its HEAD. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Held } from '../domain/change.ts';
import type { Fetched } from '../git/transport.ts';
import { errnoOf } from '../platform/errno.ts';
import { withLock } from '../platform/lock.ts';
import { layoutOf, pipeInto, runningContainer } from './container.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './find.ts';
import { followHead, type LookAgain } from './follow-head.ts';
import { mirrorBranches, noteLeftInside } from './mirror-branches.ts';
import { mirrorStashes } from './mirror-stashes.ts';
import { rememberMerges } from './resolution/memory.ts';
import { cacheDirectory } from './running-execs.ts';
import type { Workplace } from './workplace.ts';

export interface FilesSeen {
  readonly held: readonly Held[];
  readonly look: LookAgain;
}

/** Whether the agent's git directory looks as it did after the last import. A hint: read as data, cheap. */
export async function hasNewCommits(workplace: Workplace, environment: Environment): Promise<boolean> {
  const hint = await workplace.agentGit.readHeadHint(environment.directories.git);
  return hint !== undefined && hint !== (await readNotedHint(workplace, environment));
}

/** Remembers what the agent's git directory looks like now as “imported”. */
export async function noteHint(workplace: Workplace, environment: Environment, hint?: string): Promise<void> {
  const current = hint ?? (await workplace.agentGit.readHeadHint(environment.directories.git));
  if (current === undefined) return;
  const directory = cacheDirectory(workplace.repository.commonDirectory, environment.name);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'head-hint'), current);
}

/**
 * Needs the running container. What the branch has of the files stays on top of the commits; `look` brings that up to
 * date where it differs from them. One import at a time per environment; whoever waited finds nothing left to do. `held`:
 * by the last checkpoint.
 */
export async function importCommits(
  workplace: Workplace,
  environment: Environment,
  { held, look }: FilesSeen,
): Promise<Environment> {
  return withLock(`import ${workplace.repository.commonDirectory} ${environment.name}`, async () => {
    const hint = await workplace.agentGit.readHeadHint(environment.directories.git);
    if (hint === (await readNotedHint(workplace, environment))) {
      return (await readEnvironment(workplace, environment.name)) ?? environment;
    }
    const { runtime, container } = await runningContainer(workplace, environment);
    const inside = (await layoutOf(workplace, environment, runtime)).git;
    const fetched = await workplace.transport.fetch(pipeInto(runtime, container.id), inside, {
      known: [environment.refs.branch, environment.refs.prefix],
    });
    const now = (await readEnvironment(workplace, environment.name)) ?? environment;
    const after = await follow(workplace, now, fetched, { held, look });
    await mirrorStashes(workplace, after, { runtime, container, inside });
    await noteHint(workplace, environment, hint);
    return after;
  });
}

async function follow(
  workplace: Workplace,
  environment: Environment,
  fetched: Fetched,
  { held, look }: FilesSeen,
): Promise<Environment> {
  const head = fetched.head ?? environment.at.head;
  // A commit made on the host that is still on its way in: the agent's HEAD is behind, not elsewhere.
  const pending = environment.at.outside;
  const behind = pending !== undefined && head !== pending && (await workplace.repository.isAncestor(head, pending));
  const followed = await followHead(workplace, environment, {
    head: behind ? environment.at.head : head,
    cause: 'commit inside',
    held,
    look,
    ...(behind ? { outside: true } : {}),
  });
  // What the commit alone knew of is tracked from now on, and may have changed since.
  if (followed.unseen.length > 0) await look(followed.unseen);
  // A branch that was refused or broken keeps none of the others' commits in, but then nobody can tell which are gone.
  const refused = fetched.leftOut;
  if (refused === undefined) await mirrorBranches(workplace, followed.environment, fetched.branches);
  else await noteLeftInside(workplace, followed.environment, [{ branches: [], why: refused.message }]);
  await rememberMerges(workplace, environment.name, environment.at.head, followed.environment.at.head);
  return (followed.unseen.length > 0 && (await readEnvironment(workplace, environment.name))) || followed.environment;
}

async function readNotedHint(workplace: Workplace, environment: Environment): Promise<string | undefined> {
  try {
    return await readFile(
      join(cacheDirectory(workplace.repository.commonDirectory, environment.name), 'head-hint'),
      'utf8',
    );
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
