/** Many merges in one process: `git merge-tree --stdin`, which loads the repository once (FACTS: a third of the time). */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import type { HostGit } from '../host-git.ts';
import type { MergeOptions, MergePair, PairOutcome } from '../merging.ts';
import { type AttributeFiles, anyOf, layOutAttributes, readAttributes } from './attributes.ts';
import { parseMergeReports } from './merge-report.ts';
import type { Quarantine } from './quarantine.ts';
import { type Answer, mergeCall, mergeCommits, outcomeOf } from './three-way.ts';
import { withRegions } from './with-regions.ts';

type Pair = Pick<MergePair, 'ours' | 'theirs'>;

/** What git answered in a batch, or what came of a merge made alone. */
type Answered = Answer | PairOutcome;

/** Milliseconds for one batch. */
const longest = 30 * 60_000;

/** In order; as `mergeCommits`: plainly first, and once more with attributes where some could matter. Throws `git-without-batches`. */
export async function mergeBatch(
  git: HostGit,
  quarantine: Quarantine,
  pairs: readonly Pair[],
  { regions = false }: Pick<MergeOptions, 'regions'> = {},
): Promise<readonly PairOutcome[]> {
  // Packed again where they are kept: compressing thousands of objects takes as long as the merges.
  const config = ['core.looseCompression=0', ...(regions ? ['merge.conflictStyle=zdiff3'] : [])];
  const answers = await ask(git, quarantine, pairs, 'plain', config);
  const merges = answers.map((each, index) => ({ tree: oursOf(pairs, index), paths: pathsOf(each) }));
  const attributes = await readAttributes(git, quarantine.env, merges);
  for (const [number, group] of agreeing(attributes).entries()) {
    const folder = `attributes-${number}`;
    await layOutAttributes(group.files, join(quarantine.directory, folder));
    const members = group.members.flatMap((index) => pairs[index] ?? []);
    const again = await ask(git, quarantine, members, folder, config);
    for (const [at, each] of again.entries()) answers[group.members[at] ?? -1] = each;
  }
  const outcomes = answers.map((each) => ('clean' in each ? outcomeOf(each) : each));
  return regions ? withRegions(git, quarantine, pairs, outcomes) : outcomes;
}

/** Each alone: what an old git can do, and the way to a good error where git gives up. */
export async function mergeAlone(
  git: HostGit,
  quarantine: Quarantine,
  { ours, theirs }: Pair,
  folder: string,
): Promise<PairOutcome> {
  try {
    return await mergeCommits(git, quarantine, ours, theirs, folder);
  } catch (error) {
    if (error instanceof CoppiceError && error.kind !== 'bug') return { kind: 'impossible', error };
    throw error;
  }
}

function oursOf(pairs: readonly Pair[], index: number) {
  const pair = pairs[index];
  if (pair === undefined) throw new CoppiceError('bug', 'merge-batch', 'git answered more merges than it was asked.');
  return pair.ours;
}

function pathsOf(answered: Answered) {
  return 'clean' in answered ? answered.messages.flatMap(({ paths }) => paths) : [];
}

interface Group {
  readonly files: Map<string, Buffer | null>;
  readonly members: number[];
}

/** Git reads attribute files once a process, so only merges whose files do not contradict each other share one. */
function agreeing(attributes: readonly AttributeFiles[]): readonly Group[] {
  const groups: Group[] = [];
  for (const [index, files] of attributes.entries()) {
    if (!anyOf(files)) continue;
    const found = groups.find((group) => [...files].every(([file, content]) => agrees(group.files.get(file), content)));
    const group: Group = found ?? { files: new Map(), members: [] };
    if (found === undefined) groups.push(group);
    for (const [file, content] of files) group.files.set(file, content);
    group.members.push(index);
  }
  return groups;
}

function agrees(known: Buffer | null | undefined, content: Buffer | null): boolean {
  if (known === undefined || known === content) return true;
  return known !== null && content !== null && known.equals(content);
}

/** Of a commit that does not exist, and of everything else that git dies of. */
const givenUp = [1, 128];

/** The status of git for an option it does not know. */
const wrongOption = 129;

/** Before 2.39 there is no --stdin. */
function withoutBatches(): CoppiceError {
  return new CoppiceError('unavailable', 'git-without-batches', 'This git cannot merge in batches.', {
    hint: 'Install git 2.39 or newer.',
  });
}

/** A pair that git gives up at ends its process: it is merged alone, and the others go on in a new one. */
async function ask(
  git: HostGit,
  quarantine: Quarantine,
  pairs: readonly Pair[],
  folder: string,
  config: readonly string[],
): Promise<Answered[]> {
  const tree = join(quarantine.directory, folder);
  await mkdir(tree, { recursive: true });
  const answers: Answered[] = [];
  const args = ['merge-tree', '--write-tree', '--stdin', '-z', '--messages'];
  const call = { ...mergeCall(quarantine, tree), config, timeout: longest, allow: [0, ...givenUp, wrongOption] };
  while (answers.length < pairs.length) {
    const rest = pairs.slice(answers.length);
    const input = rest.map(({ ours, theirs }) => `${ours} ${theirs}\n`).join('');
    const { status, stdout } = await git.run(args, { ...call, input });
    if (status === wrongOption) throw withoutBatches();
    answers.push(...parseMergeReports(stdout));
    const stuck = pairs[answers.length];
    if (stuck !== undefined) answers.push(await mergeAlone(git, quarantine, stuck, `alone-${answers.length}`));
  }
  return answers;
}
