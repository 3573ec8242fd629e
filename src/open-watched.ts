/** What the daemon watches: the ready environments of every repository that has a data directory, over the operations. */

import { stat } from 'node:fs/promises';
import { settingsPath } from './config/settings.ts';
import type { Places } from './daemon/main.ts';
import type { Listed, Watched } from './daemon/watched.ts';
import type { BytePath } from './domain/byte-path.ts';
import type { Held } from './domain/change.ts';
import { CoppiceError } from './domain/error.ts';
import { findContainer } from './environment/container.ts';
import { checkpointerRequest, type Environment, watchKeyOf } from './environment/environment.ts';
import { readEnvironment } from './environment/find.ts';
import { importCommits } from './environment/import-commits.ts';
import { isMaterialized } from './environment/materialize.ts';
import { bringIndexAlong } from './environment/reconcile.ts';
import { causeOf, runningExecs } from './environment/running-execs.ts';
import { submoduleSaver } from './environment/submodule-saver.ts';
import type { Workplace } from './environment/workplace.ts';
import { type Conflicts, conflictsIn, type Emit } from './open-conflicts.ts';
import { environmentsOf } from './open-listing.ts';
import { ifPresent } from './platform/errno.ts';
import type { Surroundings } from './platform/surroundings.ts';

type OpenWorkplace = (surroundings: Surroundings, program: readonly string[]) => Promise<Workplace>;

interface OpenPlace {
  readonly workplace: Workplace;
  readonly conflicts: Conflicts;
  readonly settings: string;
  readonly environments: () => Promise<readonly Environment[]>;
}

/**
 * Repositories stay open between two looks, until the user's settings change; settings that cannot be read change nothing.
 * A repository that cannot be opened (deleted, on a disk that is away) is left out.
 */
export function loadWatched(
  surroundings: Surroundings,
  openWorkplace: OpenWorkplace,
  repositoriesIn: (dataDirectory: string) => Promise<readonly string[]>,
) {
  const open = new Map<string, OpenPlace>();
  const placeAt = async (dataDirectory: string, commonDirectory: string, emit: Emit) => {
    const key = `${dataDirectory}\0${commonDirectory}`;
    const known = open.get(key);
    const settings = await stampOf(settingsPath(surroundings.configDirectory));
    if (known?.settings === settings) return known;
    try {
      const workplace = await openWorkplace({ ...surroundings, dataDirectory, cwd: commonDirectory }, []);
      // The one before is not closed: environments that the change does not concern go on with it.
      const environments = environmentsOf(workplace);
      const place = { workplace, settings, environments, conflicts: conflictsIn(workplace, emit) };
      open.set(key, place);
      return place;
    } catch (error) {
      if (error instanceof CoppiceError) return known;
      throw error;
    }
  };
  return async (
    { dataDirectories, commonDirectories }: Places,
    emit: Emit = () => undefined,
  ): Promise<readonly Listed[]> => {
    const listed: Listed[] = [];
    for (const dataDirectory of dataDirectories) {
      const repositories = new Set([...(await repositoriesIn(dataDirectory)), ...commonDirectories]);
      for (const commonDirectory of repositories) {
        const place = await placeAt(dataDirectory, commonDirectory, emit);
        if (place !== undefined) listed.push(...(await listedIn(place)));
      }
    }
    return listed;
  };
}

/** Changes when the file does. */
async function stampOf(path: string): Promise<string> {
  const found = await ifPresent(stat(path));
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
}

async function listedIn({ workplace, conflicts, environments: list }: OpenPlace): Promise<readonly Listed[]> {
  let environments: readonly Environment[];
  try {
    environments = await list();
    await conflicts.lookIfMoved(environments);
  } catch (error) {
    if (error instanceof CoppiceError) return [];
    throw error;
  }
  return environments
    .filter((environment) => environment.record.stage !== 'creating' && isMaterialized(environment))
    .map((environment) => ({
      key: watchKeyOf(workplace, environment),
      repositoryId: workplace.repository.id,
      name: environment.name,
      open: () => openWatched(workplace, environment, conflicts),
    }));
}

/** Checkpoints between two looks at how many packs there are. */
const tidyEvery = 10;

/** Milliseconds of quiet after which the host's index of the worktree is brought along. */
const indexAfter = 1_000;

async function settle(workplace: Workplace, { name }: Environment): Promise<void> {
  try {
    const current = await readEnvironment(workplace, name);
    if (current !== undefined && isMaterialized(current)) await bringIndexAlong(workplace, current);
  } catch (error) {
    // The next checkpoint, or the next command, tries again.
    if (!(error instanceof CoppiceError)) throw error;
  }
}

async function openWatched(workplace: Workplace, environment: Environment, conflicts: Conflicts): Promise<Watched> {
  const checkpointer = await workplace.openCheckpointer(checkpointerRequest(environment));
  const { commonDirectory, id } = workplace.repository;
  const { name, directories } = environment;
  const submodules = submoduleSaver(workplace, environment);
  let made = 0;
  let held: readonly Held[] = [];
  /** Beside the checkpoints, never before one. */
  let settling: NodeJS.Timeout | undefined;
  const tidy = () => {
    clearTimeout(settling);
    settling = setTimeout(() => void settle(workplace, environment), indexAfter);
    made += 1;
    if (made % tidyEvery === 0) workplace.housekeep().catch(() => undefined);
  };
  const save: Watched['checkpoint'] = async ({ paths, cause, execs: asked }) => {
    if (!isMaterialized(environment)) throw gone(environment);
    const execs = asked === undefined ? await runningExecs(commonDirectory, name) : [];
    const operation = await workplace.agentGit.operationInProgress(directories.git);
    const actual = execs.length > 0 ? causeOf(execs) : cause;
    const done = await checkpointer.checkpoint({
      cause: actual,
      execs: asked ?? execs.map((exec) => exec.id),
      ...(paths === undefined ? {} : { paths }),
      ...(operation === undefined ? {} : { operation }),
    });
    held = done.held;
    submodules.met(done.submodules, paths);
    if (done.checkpoint !== undefined) {
      tidy();
      conflicts.look();
    }
    return { ...done, cause: actual };
  };
  return {
    key: watchKeyOf(workplace, environment),
    repositoryId: id,
    name,
    tree: directories.tree,
    gitDirectory: directories.git,
    isIgnored: (directory) =>
      checkpointer.isInSubmodule(directory)
        ? checkpointer.ignores(directory) || !submodules.watches(directory)
        : checkpointer.isIgnored(directory, true),
    checkpoint: save,
    headHint: () => workplace.agentGit.readHeadHint(directories.git),
    async importCommits() {
      const before = await readEnvironment(workplace, name);
      if (before === undefined) throw gone(environment);
      const look = async (paths: readonly BytePath[]) => ({
        held: (await save({ paths, cause: 'edit' })).held,
        ignores: (path: BytePath) => checkpointer.ignores(path),
      });
      const after = await importCommits(workplace, before, { held, look });
      if (after.at.head === before.at.head) return [];
      conflicts.look();
      const commits = await workplace.repository.log({
        start: after.at.head,
        exclude: [before.at.head, before.at.base],
      });
      return commits.map(({ oid, message }) => ({ oid, subject: message.split('\n')[0] ?? '' })).reverse();
    },
    isActive: rarely(async () => (await findContainer(workplace, environment))?.state === 'running'),
    close: async () => {
      clearTimeout(settling);
      await submodules.close();
      await checkpointer.close();
    },
  };
}

/** Asked of the engine at most every few seconds. */
const activeFor = 3_000;

function rarely(ask: () => Promise<boolean>): () => Promise<boolean> {
  let answer: Promise<boolean> | undefined;
  let askedAt = 0;
  return () => {
    if (answer === undefined || performance.now() - askedAt > activeFor) {
      askedAt = performance.now();
      answer = ask();
    }
    return answer;
  };
}

function gone({ name }: Environment): CoppiceError {
  return new CoppiceError('not-found', 'environment-gone', `${name} is not there any more.`, {
    hint: 'It was removed.',
  });
}
