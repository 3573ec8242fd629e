/**
 * Who wrote each line of a file, down to the checkpoint and with it the command: a line that a commit took over from folded
 * checkpoints is looked for among those, in one that had the file exactly as the commit has it.
 */
import { type BytePath, bytePathFromText, textOf } from '../domain/byte-path.ts';
import { isCheckpoint, trailers, trailerValues } from '../domain/checkpoint.ts';
import type { Oid } from '../domain/oid.ts';
import type { BlamedLine, CommitInfo, LineRange, Repository } from '../git/repository.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

export interface Writer {
  /** `folded`: a checkpoint that `commit` below took over. */
  readonly kind: 'commit' | 'checkpoint' | 'folded';
  readonly info: CommitInfo;
  /** The commit that git itself would name; undefined while there is only a checkpoint. */
  readonly commit: CommitInfo | undefined;
  readonly cause: string | undefined;
  readonly execs: readonly string[];
}

export interface WrittenLine {
  readonly line: number;
  readonly text: string;
  readonly writer: Writer;
}

/** The file must be in the tip, and have these lines. */
export async function blameFile(
  { repository }: Workplace,
  environment: Environment,
  path: string,
  ranges: readonly LineRange[],
): Promise<readonly WrittenLine[]> {
  const { at } = environment;
  const lines = await repository.blame({ commit: at.tip, path, ranges });
  const commits = await commitsOf(repository, lines);
  const folded = await foldedWriters(repository, environment, lines, commits);
  return lines.map((line) => {
    const commit = found(commits, line.commit);
    const traced = folded.get(line.line);
    const writer = traced === undefined ? writerOf(commit) : { ...writerOf(traced), kind: 'folded' as const, commit };
    return { line: line.line, text: line.text, writer };
  });
}

type Commits = ReadonlyMap<Oid, CommitInfo>;

async function commitsOf(repository: Repository, lines: readonly BlamedLine[]): Promise<Commits> {
  const infos = await repository.readCommits([...new Set(lines.map(({ commit }) => commit))]);
  return new Map(infos.map((info) => [info.oid, info]));
}

function found(commits: Commits, oid: Oid): CommitInfo {
  const info = commits.get(oid);
  if (info === undefined) throw new TypeError(`${oid} was not read`);
  return info;
}

function writerOf(info: CommitInfo): Writer {
  const checkpoint = isCheckpoint(info.message);
  return {
    kind: checkpoint ? 'checkpoint' : 'commit',
    info,
    commit: checkpoint ? undefined : info,
    cause: checkpoint ? trailerValues(info.message, trailers.cause)[0] : undefined,
    execs: checkpoint ? trailerValues(info.message, trailers.exec) : [],
  };
}

/** The checkpoint that wrote a line, by line number, where a commit stands before it. */
async function foldedWriters(
  repository: Repository,
  { at, refs, record }: Environment,
  lines: readonly BlamedLine[],
  commits: Commits,
): Promise<ReadonlyMap<number, CommitInfo>> {
  const writers = new Map<number, CommitInfo>();
  const created = Math.floor(Date.parse(record.createdAt) / 1000);
  const own = lines.filter(({ commit }) => {
    const { message, committer } = found(commits, commit);
    return !isCheckpoint(message) && committer.seconds >= created;
  });
  const tails = own.length === 0 ? [] : await repository.listRefs(`${refs.prefix}tails/`);
  const [first, ...also] = tails.map(({ oid }) => oid);
  if (first === undefined) return writers;
  for (const group of groupsOf(own)) {
    const { path, commit } = group;
    if (await repository.isAncestor(commit, at.base)) continue;
    const range = { start: first, also, exclude: [at.head, at.base], firstParent: true, path: textOf(path) };
    const twin = await twinOf(repository, found(commits, commit), path, await repository.log(range));
    if (twin !== undefined)
      for (const [line, writer] of await writersIn(repository, twin, group)) writers.set(line, writer);
  }
  return writers;
}

/** Lines that one commit wrote in one file. */
interface Group {
  readonly commit: Oid;
  readonly path: BytePath;
  readonly lines: readonly BlamedLine[];
}

function groupsOf(lines: readonly BlamedLine[]): readonly Group[] {
  const groups = new Map<string, BlamedLine[]>();
  for (const line of lines) {
    // Git takes paths as arguments, which are text.
    if (bytePathFromText(textOf(line.original.path)) !== line.original.path) continue;
    const key = `${line.commit} ${line.original.path}`;
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [{ commit: first.commit, path: first.original.path, lines: group }];
  });
}

/** The checkpoint whose file is the commit's, byte for byte: the last before the commit, else the first after it. */
async function twinOf(
  repository: Repository,
  commit: CommitInfo,
  path: BytePath,
  checkpoints: readonly CommitInfo[],
): Promise<CommitInfo | undefined> {
  const wanted = [commit, ...checkpoints].map(({ oid }) => ({ treeish: oid, path: textOf(path) }));
  const [content, ...contents] = await repository.readBlobsAt(wanted);
  if (content === undefined) return undefined;
  const twins = checkpoints.filter((_, index) => contents[index]?.equals(content));
  const until = commit.committer.seconds;
  return twins.find(({ committer }) => committer.seconds <= until) ?? twins.at(-1);
}

async function writersIn(
  repository: Repository,
  twin: CommitInfo,
  { path, lines }: Group,
): Promise<readonly (readonly [number, CommitInfo])[]> {
  const wanted = new Map(lines.map(({ line, original }) => [original.line, line]));
  const ranges = rangesOf([...wanted.keys()]);
  const there = await repository.blame({ commit: twin.oid, path: textOf(path), ranges });
  const commits = await commitsOf(repository, there);
  return there.flatMap(({ line, commit }) => {
    const info = found(commits, commit);
    const here = wanted.get(line);
    return here === undefined || !isCheckpoint(info.message) ? [] : [[here, info] as const];
  });
}

/** Neighbouring numbers taken together. */
export function rangesOf(numbers: readonly number[]): readonly LineRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (const number of numbers.toSorted((left, right) => left - right)) {
    const last = ranges.at(-1);
    if (last !== undefined && number <= last.to + 1) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges;
}
