/**
 * Who wrote each line of a file, down to the checkpoint and with it the command. Where git names a commit that took over
 * folded checkpoints, or a checkpoint that only brought an earlier state back, the line is looked for further back: in a twin,
 * which has the file exactly as it is there.
 */
import { type BytePath, bytePathFromText, textOf } from '../domain/byte-path.ts';
import { isCheckpoint, rewoundTo, trailers, trailerValues } from '../domain/checkpoint.ts';
import type { Oid } from '../domain/oid.ts';
import type { BlamedLine, CommitInfo, LineRange, Repository } from '../git/repository.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

export interface Writer {
  /** `folded`: a checkpoint that `commit` below took over. */
  readonly kind: 'commit' | 'checkpoint' | 'folded';
  readonly info: CommitInfo;
  /** The commit that has the line; undefined while there is only a checkpoint. */
  readonly commit: CommitInfo | undefined;
  readonly cause: string | undefined;
  readonly execs: readonly string[];
}

export interface WrittenLine {
  readonly line: number;
  readonly text: string;
  readonly writer: Writer;
}

/** A line on its way back to who wrote it. */
interface Trace {
  readonly here: BlamedLine;
  readonly info: CommitInfo;
  /** Where it was in `info`. */
  readonly path: BytePath;
  readonly line: number;
  /** The last commit on the way that is no checkpoint. */
  readonly commit: CommitInfo | undefined;
}

/** Rewinds of rewinds of …: as many as anybody will look through. */
const furthest = 20;

/** The file must be in the tip, and have these lines. */
export async function blameFile(
  { repository }: Workplace,
  environment: Environment,
  path: string,
  ranges: readonly LineRange[],
): Promise<readonly WrittenLine[]> {
  const lines = await repository.blame({ commit: environment.at.tip, path, ranges });
  const commits = await commitsOf(repository, lines);
  let traces: readonly Trace[] = lines.map((here) => traceTo(here, here, commits, undefined));
  const tails = (await repository.listRefs(`${environment.refs.prefix}tails/`)).map(({ oid }) => oid);
  for (let step = 0; step < furthest; step += 1) {
    const further = await traceFurther(repository, environment, tails, traces);
    if (further.size === 0) break;
    traces = traces.map((trace) => further.get(trace) ?? trace);
  }
  return traces.map((trace) => ({ line: trace.here.line, text: trace.here.text, writer: writerOf(trace) }));
}

function traceTo(
  here: BlamedLine,
  found: BlamedLine,
  commits: ReadonlyMap<Oid, CommitInfo>,
  before: CommitInfo | undefined,
): Trace {
  const info = commits.get(found.commit);
  if (info === undefined) throw new TypeError(`${found.commit} was not read`);
  const commit = isCheckpoint(info.message) ? before : info;
  return { here, info, path: found.original.path, line: found.original.line, commit };
}

async function commitsOf(repository: Repository, lines: readonly BlamedLine[]) {
  const infos = await repository.readCommits([...new Set(lines.map(({ commit }) => commit))]);
  return new Map(infos.map((info) => [info.oid, info]));
}

function writerOf({ info, commit }: Trace): Writer {
  if (!isCheckpoint(info.message)) return { kind: 'commit', info, commit: info, cause: undefined, execs: [] };
  return {
    kind: commit === undefined ? 'checkpoint' : 'folded',
    info,
    commit,
    cause: trailerValues(info.message, trailers.cause)[0],
    execs: trailerValues(info.message, trailers.exec),
  };
}

/** One step back, for the traces where there is one. */
async function traceFurther(
  repository: Repository,
  environment: Environment,
  tails: readonly Oid[],
  traces: readonly Trace[],
): Promise<ReadonlyMap<Trace, Trace>> {
  const further = new Map<Trace, Trace>();
  for (const group of groupsOf(traces)) {
    const twin = await twinOf(repository, environment, tails, group);
    if (twin === undefined) continue;
    for (const [trace, next] of await lookIn(repository, twin, group)) further.set(trace, next);
  }
  return further;
}

/** Lines of one file of one commit. */
interface Group {
  readonly info: CommitInfo;
  readonly path: BytePath;
  readonly traces: readonly Trace[];
}

function groupsOf(traces: readonly Trace[]): readonly Group[] {
  const groups = new Map<string, { info: CommitInfo; path: BytePath; traces: Trace[] }>();
  for (const trace of traces) {
    const { info, path } = trace;
    // Git takes paths as arguments, which are text.
    if (bytePathFromText(textOf(path)) !== path) continue;
    const key = `${info.oid} ${path}`;
    const group = groups.get(key) ?? { info, path, traces: [] };
    group.traces.push(trace);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Another commit or checkpoint of the environment that has the file byte for byte, and may know more about its lines. */
async function twinOf(
  repository: Repository,
  environment: Environment,
  tails: readonly Oid[],
  { info, path }: Group,
): Promise<CommitInfo | undefined> {
  const candidates = isCheckpoint(info.message)
    ? await rewindTarget(repository, info)
    : await foldedCheckpoints(repository, environment, tails, info, path);
  if (candidates.length === 0) return undefined;
  const wanted = [info, ...candidates].map(({ oid }) => ({ treeish: oid, path: textOf(path) }));
  const [content, ...contents] = await repository.readBlobsAt(wanted);
  if (content === undefined) return undefined;
  const twins = candidates.filter((_, index) => contents[index]?.equals(content));
  // The last before the commit, else the first after it: a checkpoint can be made once the commit is.
  return twins.find(({ committer }) => committer.seconds <= info.committer.seconds) ?? twins.at(-1);
}

async function rewindTarget(repository: Repository, { message }: CommitInfo): Promise<readonly CommitInfo[]> {
  const target = rewoundTo(message);
  const oid = target === undefined ? undefined : await repository.resolveCommit(target);
  return oid === undefined ? [] : [await repository.readCommit(oid)];
}

/** Newest first; none for a commit that is older than the environment. */
async function foldedCheckpoints(
  repository: Repository,
  { at, record }: Environment,
  tails: readonly Oid[],
  commit: CommitInfo,
  path: BytePath,
): Promise<readonly CommitInfo[]> {
  const [start, ...also] = tails;
  if (start === undefined || commit.committer.seconds < Math.floor(Date.parse(record.createdAt) / 1000)) return [];
  if (await repository.isAncestor(commit.oid, at.base)) return [];
  const range = { start, also, exclude: [at.head, at.base], firstParent: true, path: textOf(path) };
  return (await repository.log(range)).filter(({ message }) => isCheckpoint(message));
}

/** From a commit only what leads to a checkpoint is a step forward. */
async function lookIn(
  repository: Repository,
  twin: CommitInfo,
  { info, path, traces }: Group,
): Promise<readonly (readonly [Trace, Trace])[]> {
  const wanted = new Map(traces.map((trace) => [trace.line, trace]));
  const ranges = rangesOf([...wanted.keys()]);
  const found = await repository.blame({ commit: twin.oid, path: textOf(path), ranges });
  const commits = await commitsOf(repository, found);
  const rewound = isCheckpoint(info.message);
  return found.flatMap((line) => {
    const trace = wanted.get(line.line);
    if (trace === undefined) return [];
    const next = traceTo(trace.here, line, commits, trace.commit);
    return rewound || isCheckpoint(next.info.message) ? [[trace, next] as const] : [];
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
