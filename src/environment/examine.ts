/** Compares what git, the engine and the disk say about the environments, and finds every mismatch between them. */
import { readdir, readFile } from 'node:fs/promises';
import { repositoryDirectory } from '../domain/directories.ts';
import { type EnvironmentName, isEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { type RuntimeKind, runtimeKinds } from '../domain/spec.ts';
import { errnoOf } from '../platform/errno.ts';
import { type Container, labels, type Runtime } from '../runtime/runtime.ts';
import { repositoryLabels } from './container.ts';
import { directoriesFor, type Environment } from './environment.ts';
import { listEnvironments } from './find.ts';
import { sweepInterrupted, wasInterrupted } from './interrupted.ts';
import { namesWithoutRecord, recoverRecord } from './lost-records.ts';
import { isMaterialized } from './materialize.ts';
import { listTrash } from './trash.ts';
import type { DaemonPort, Workplace } from './workplace.ts';

export interface Finding {
  readonly level: 'ok' | 'note' | 'problem';
  readonly what: string;
  readonly hint: string | null;
  readonly fixed: boolean;
}

const found = (level: Finding['level'], what: string, hint: string | null = null, fixed = false): Finding => ({
  level,
  what,
  hint,
  fixed,
});

export async function* examine(workplace: Workplace, fix: boolean): AsyncGenerator<Finding> {
  const { requireGit, identity } = workplace.repository;
  yield* examineMachine({ ...workplace, requireGit, identity });
  const broken: Finding[] = [];
  const all = await listEnvironments(workplace, (name, error) => {
    if (!(error instanceof CoppiceError)) throw error;
    broken.push(found('problem', `${name}: ${error.message}`, error.hint ?? null));
  });
  yield* broken;
  const lost = await namesWithoutRecord(workplace);
  yield* examineRecords(workplace, lost, fix);
  for (const environment of all.filter((each) => wasInterrupted(workplace, each))) {
    if (fix) await sweepInterrupted(workplace, [environment]);
    yield found(
      'problem',
      `The creation of ${environment.name} was interrupted.`,
      '`coppice doctor --fix` rolls it back.',
      fix,
    );
  }
  const environments = all.filter((each) => !wasInterrupted(workplace, each));
  const names = new Set<string>([
    ...environments.map(({ name }) => name),
    ...broken.map(({ what }) => what.split(':')[0] ?? ''),
    ...lost,
  ]);
  yield* examineTips(workplace, environments, fix);
  yield* examineContainers(workplace, environments, names, fix);
  yield* examineDirectories(workplace, environments, names, fix);
  yield found('ok', `${environments.length} environments in ${workplace.repository.commonDirectory}`);
}

/** Nothing of such an environment is left over: without this, its files would look as if they belonged to nobody. */
async function* examineRecords(
  workplace: Workplace,
  names: readonly EnvironmentName[],
  fix: boolean,
): AsyncGenerator<Finding> {
  for (const name of names) {
    const recovered = fix ? await recoverRecord(workplace, name) : undefined;
    const how = recovered === 'made' ? ' Made anew, without its title and what its execs wrote.' : '';
    const hint = '`coppice doctor --fix` brings the record back; its branch and files are there and stay.';
    yield found('problem', `${name} has lost its record, and with it its name.${how}`, hint, fix);
  }
}

/** What needs no repository. */
export interface Machine {
  readonly daemon: Pick<DaemonPort, 'facts'>;
  runtime(kind: RuntimeKind): Promise<Runtime>;
  requireGit(): Promise<void>;
  /** undefined: git does not know who the user is. */
  identity(): Promise<unknown>;
}

export async function* examineMachine(machine: Machine): AsyncGenerator<Finding> {
  await machine.requireGit();
  for (const kind of runtimeKinds) {
    try {
      const facts = await (await machine.runtime(kind)).probe();
      const isolation = facts.isolated ? '' : ' — commands in it are not isolated from this machine';
      yield found(facts.isolated ? 'ok' : 'note', `${facts.description}${isolation}`);
    } catch (error) {
      if (!(error instanceof CoppiceError)) throw error;
      yield found('note', `${kind}: ${error.message}`, error.hint ?? null);
    }
  }
  const watches = await readNumber('/proc/sys/fs/inotify/max_user_watches');
  if (watches !== undefined && watches < 65_536) {
    yield found(
      'note',
      `inotify allows ${watches} watches: large trees will be polled.`,
      'Raise fs.inotify.max_user_watches.',
    );
  }
  const running = (await machine.daemon.facts()) !== undefined;
  yield found(
    running ? 'ok' : 'note',
    running ? 'the daemon is running' : 'the daemon is not running',
    running ? null : 'It starts with the next create or start.',
  );
  if ((await machine.identity()) === undefined) {
    yield found('note', 'git does not know who you are.', 'git config --global user.name … and user.email …');
  }
}

/** A branch whose newest checkpoint a disk has lost goes back to the newest one that is whole; the files stay as they are. */
async function* examineTips(
  workplace: Workplace,
  environments: readonly Environment[],
  fix: boolean,
): AsyncGenerator<Finding> {
  const { repository } = workplace;
  for (const { name, refs, at } of environments) {
    if (await repository.isIntact(at.tip, [])) continue;
    const what = `${name}: the commit ${at.tip.slice(0, 7)} that its branch is at is damaged or incomplete.`;
    const intact = await newestIntact(workplace, [...(await repository.formerTips(refs.branch)), at.head, at.base]);
    if (intact === undefined) {
      yield found('problem', what, `Nothing before it is whole either: \`git fsck\` says what is missing.`);
      continue;
    }
    if (fix) await repository.updateRefs([{ name: refs.branch, before: at.tip, after: intact }], 'coppice: doctor');
    yield found(
      'problem',
      what,
      `\`coppice doctor --fix\` puts the branch back to ${intact.slice(0, 7)}, the newest that is whole; the files stay as they are and are saved on top of it.`,
      fix,
    );
  }
}

async function newestIntact(workplace: Workplace, candidates: readonly Oid[]): Promise<Oid | undefined> {
  for (const candidate of candidates) if (await workplace.repository.isIntact(candidate, [])) return candidate;
  return undefined;
}

async function* examineContainers(
  workplace: Workplace,
  environments: readonly Environment[],
  names: ReadonlySet<string>,
  fix: boolean,
): AsyncGenerator<Finding> {
  for (const kind of runtimeKinds) {
    const reached = await reach(workplace, kind);
    const uses = environments.filter(({ record }) => record.spec.runtime === kind);
    if (reached === undefined) {
      if (uses.length > 0)
        yield found(
          'problem',
          `${uses.map(({ name }) => name).join(', ')}: run on ${kind}, which does not answer.`,
          'Start it; their files and branches are safe.',
        );
      continue;
    }
    const { runtime, containers } = reached;
    for (const container of containers) {
      const name = container.labels[labels.environment] ?? '';
      if (names.has(name)) continue;
      if (fix) await runtime.remove(container.id);
      yield found(
        'problem',
        `The container ${container.name} belongs to no environment.`,
        '`coppice doctor --fix` removes it.',
        fix,
      );
    }
    for (const { name } of uses) {
      if (containers.some((container) => container.labels[labels.environment] === name)) continue;
      yield found('problem', `${name} has lost its container.`, `\`coppice start ${name}\` makes it anew.`);
    }
  }
}

async function reach(
  workplace: Workplace,
  kind: (typeof runtimeKinds)[number],
): Promise<{ runtime: Runtime; containers: readonly Container[] } | undefined> {
  try {
    const runtime = await workplace.runtime(kind);
    return { runtime, containers: await runtime.list(repositoryLabels(workplace)) };
  } catch (error) {
    if (error instanceof CoppiceError && error.kind === 'unavailable') return undefined;
    throw error;
  }
}

async function* examineDirectories(
  workplace: Workplace,
  environments: readonly Environment[],
  names: ReadonlySet<string>,
  fix: boolean,
): AsyncGenerator<Finding> {
  for (const environment of environments.filter((each) => !isMaterialized(each))) {
    yield found(
      'note',
      `${environment.name} has no files on this machine.`,
      `\`coppice start ${environment.name}\` checks them out.`,
    );
  }
  const here = await directoryNames(repositoryDirectory(workplace.surroundings.dataDirectory, workplace.repository.id));
  const registered = await workplace.worktrees.registered();
  const orphans = new Set([...here, ...registered].filter((name) => !names.has(name)));
  const saved = new Set((await listTrash(workplace)).map(({ name }) => name as string));
  for (const name of orphans) {
    const { root } = directoriesFor(workplace, name);
    // Only what is known to be saved is deleted; anything else is for a person to look at.
    const repair = fix && saved.has(name);
    if (repair) await workplace.worktrees.remove(name, directoriesFor(workplace, name));
    const hint = saved.has(name)
      ? '`coppice doctor --fix` removes it: its content was saved when it was removed.'
      : `Look at ${root} and delete it by hand.`;
    yield found('problem', `${root} belongs to no environment.`, hint, repair);
  }
}

async function directoryNames(directory: string): Promise<readonly EnvironmentName[]> {
  try {
    return (await readdir(directory)).filter(isEnvironmentName);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readNumber(file: string): Promise<number | undefined> {
  try {
    return Number((await readFile(file, 'latin1')).trim());
  } catch (error) {
    if (errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}
