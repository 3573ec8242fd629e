/** Other branches inside appear as refs/coppice/<name>/heads/*; what they leave behind is kept among the tails. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type LeftInside, planMirror } from '../domain/branch-mirror.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { shortName } from '../domain/ref-name.ts';
import type { RefUpdate } from '../git/repository.ts';
import { ifPresent } from '../platform/errno.ts';
import type { Environment } from './environment.ts';
import { nextTail } from './follow-head.ts';
import { cacheDirectory } from './running-execs.ts';
import type { Workplace } from './workplace.ts';

/** References in one transaction: locks of that many files at a time. */
const atOnce = 200;

/** Where another process does the same, that one has done it. */
export async function mirrorBranches(
  workplace: Workplace,
  environment: Environment,
  inside: ReadonlyMap<string, Oid>,
): Promise<void> {
  const { repository } = workplace;
  const prefix = `${environment.refs.prefix}heads/`;
  const refs = await repository.listRefs(prefix);
  const known = new Map(refs.map(({ name, oid }) => [name.slice(prefix.length), oid]));
  const { gone, moved, left } = planMirror({
    inside,
    known,
    own: shortName(environment.refs.branch),
    prefix,
    ignoreCase: (await repository.config('core.ignoreCase')) === 'true',
  });
  // Before anything is deleted.
  await keepWhatIsLeft(workplace, environment, known, { gone, moved });
  const update = (branch: string, after: Oid | null): RefUpdate => {
    return { name: environment.refs.agentHead(branch), before: known.get(branch) ?? null, after };
  };
  // Deletions before the rest: `a` may have made room for `a/b`.
  const steps = [
    ...inParts(gone.map((branch) => update(branch, null))),
    ...inParts(moved.map(([branch, to]) => update(branch, to))),
  ];
  const failed: LeftInside[] = [];
  for (const updates of steps) failed.push(...(await move(workplace, updates)));
  await noteLeftInside(workplace, environment, [...left, ...failed]);
}

function inParts(updates: readonly RefUpdate[]): readonly (readonly RefUpdate[])[] {
  const count = Math.ceil(updates.length / atOnce);
  return Array.from({ length: count }, (_, index) => updates.slice(index * atOnce, (index + 1) * atOnce));
}

/** All or, where one of them keeps the others from it, each by itself. What cannot be is left inside, and told. */
async function move(workplace: Workplace, updates: readonly RefUpdate[]): Promise<readonly LeftInside[]> {
  try {
    await workplace.repository.updateRefs(updates, reason);
    return [];
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    const [only, ...others] = updates;
    if (others.length > 0) {
      const failed: LeftInside[] = [];
      for (const update of updates) failed.push(...(await move(workplace, [update])));
      return failed;
    }
    // Somebody else mirrored it at the same moment.
    if (only === undefined || error.code === 'ref-moved') return [];
    return [{ branches: [only.name], why: error.message }];
  }
}

const reason = 'coppice: branch inside';
/** How often another tail may come in between. */
const attempts = 20;

/** Commits that nothing would reach once the branches have moved become tails. */
async function keepWhatIsLeft(
  workplace: Workplace,
  environment: Environment,
  known: ReadonlyMap<string, Oid>,
  { gone, moved }: Pick<ReturnType<typeof planMirror>, 'gone' | 'moved'>,
): Promise<void> {
  const leaving = [...gone, ...moved.map(([branch]) => branch)].flatMap((branch) => known.get(branch) ?? []);
  const after = new Map([...known, ...moved]);
  for (const branch of gone) after.delete(branch);
  const lost = await unreachable(workplace, [...new Set(leaving)], [environment.at.tip, ...after.values()]);
  for (let attempt = 1; lost.length > 0; attempt += 1) {
    const first = await nextTail(workplace, environment);
    const tails = lost.map((oid, index) => ({ name: environment.refs.tail(first + index), before: null, after: oid }));
    try {
      await workplace.repository.updateRefs(tails, reason);
      return;
    } catch (error) {
      if (!hasCode(error, 'ref-moved') || attempt >= attempts) throw error;
    }
  }
}

/** Those of `commits` that none of `from` reaches, without those that another of them reaches. */
async function unreachable(
  { repository }: Workplace,
  commits: readonly Oid[],
  from: readonly Oid[],
): Promise<readonly Oid[]> {
  const [start, ...also] = commits;
  if (start === undefined) return [];
  const listed = await repository.log({ start, also, exclude: [...new Set(from)] });
  const parents = new Map(listed.map((commit) => [commit.oid, commit.parents]));
  const below = new Set<Oid>();
  const walk = commits.flatMap((commit) => parents.get(commit) ?? []);
  for (let oid = walk.pop(); oid !== undefined; oid = walk.pop()) {
    if (below.has(oid)) continue;
    below.add(oid);
    walk.push(...(parents.get(oid) ?? []));
  }
  return commits.filter((commit) => parents.has(commit) && !below.has(commit));
}

/** For `status`. Safe to delete: the next import says it again. */
export async function noteLeftInside(
  workplace: Workplace,
  environment: Environment,
  left: readonly LeftInside[],
): Promise<void> {
  const file = noteOf(workplace, environment);
  if (left.length === 0) {
    await rm(file, { force: true });
    return;
  }
  await mkdir(cacheDirectory(workplace.repository.commonDirectory, environment.name), { recursive: true });
  await writeFile(file, JSON.stringify(left));
}

export async function readLeftInside(workplace: Workplace, environment: Environment): Promise<readonly LeftInside[]> {
  try {
    const text = await ifPresent(readFile(noteOf(workplace, environment), 'utf8'));
    return text === undefined ? [] : (JSON.parse(text) as readonly LeftInside[]);
  } catch (error) {
    // Half written by somebody who does it at this moment.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function noteOf({ repository }: Workplace, { name }: Environment): string {
  return join(cacheDirectory(repository.commonDirectory, name), 'branches-left.json');
}
