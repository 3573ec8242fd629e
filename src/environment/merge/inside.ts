/**
 * A second look at conflicts by what only the container may run: merge drivers that its git has configured (mergiraf and
 * the like), and the commands by which the spec makes lock files anew. Only what conflicts is taken over from inside.
 */
import { textOf } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import { countConflicts } from '../../domain/conflict-markers.ts';
import type { Oid } from '../../domain/oid.ts';
import { parsePathPattern } from '../../domain/path-pattern.ts';
import type { Conflict, MergeOutcome } from '../../git/merging.ts';
import type { Container, Runtime } from '../../runtime/runtime.ts';
import { hasGit } from '../commit.ts';
import { findContainer, layoutOf, pipeInto, readInside, runInside } from '../container.ts';
import type { Environment } from '../environment.ts';
import { scratchScript, sweepScript } from '../scratch-script.ts';
import type { Workplace } from '../workplace.ts';

export interface ResolvedInside {
  readonly path: string;
  readonly by: 'merge driver' | 'regenerated' | 'remembered resolution';
  /** The command that made it anew; null for a driver. */
  readonly command: string | null;
}

export interface MergedInside {
  readonly outcome: MergeOutcome;
  readonly resolved: readonly ResolvedInside[];
  /** What commands and drivers wrote. */
  readonly output: string;
}

/** What was resolved inside already, by environment and the files of all sides: nothing runs twice for the same. */
export type InsideMemory = Map<string, Promise<FoundInside>>;

export interface InsideOptions {
  readonly memory?: InsideMemory | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Sides {
  /** Commits, or trees for a base of the caller's choice. */
  readonly base: Oid;
  readonly ours: Oid;
  readonly theirs: Oid;
}

const candidateRef = 'refs/coppice/conflict';
const nothing = 76;
/** Bytes of one resolved file. */
const largest = 50 * 2 ** 20;

const lookScript = `
git config --get-regexp '^merge\\..*\\.driver$' >/dev/null && exit 0
exit ${nothing}
`;

/**
 * Merges as git does inside, in a throw-away worktree; then the commands, each for its path, from the branch's version.
 * On stdout: mode, object name and path of what has no conflict any more, as ls-files prints them.
 */
const mergeScript = `
${scratchScript(candidateRef)}export GIT_EDITOR=: GIT_AUTHOR_NAME=coppice GIT_AUTHOR_EMAIL=coppice@localhost
export GIT_COMMITTER_NAME=coppice GIT_COMMITTER_EMAIL=coppice@localhost
git worktree add -q --detach "$work/tree" "$COPPICE_OURS" || exit 1
cd "$work/tree" || exit 1
git -c rerere.enabled=false merge -q --no-commit --no-ff "$COPPICE_THEIRS"
git rev-parse -q --verify MERGE_HEAD >/dev/null || exit 1
while test "$#" -ge 2; do
  if test -n "$(git ls-files -u -- ":(top,literal)$1")"; then
    git checkout -q --ours -- ":(top,literal)$1" 2>/dev/null
    if sh -c "$2"; then git add -- ":(top,literal)$1"; else echo "$2: status $?"; fi
  fi
  shift 2
done
git ls-files -s -z >&3
`;

/** The outcome itself where nothing inside could help: no container that runs, no driver, no command for these paths. */
export async function mergeInside(
  workplace: Workplace,
  environment: Environment,
  outcome: MergeOutcome,
  sides: Sides,
  { memory = new Map(), signal }: InsideOptions = {},
): Promise<MergedInside> {
  const unchanged = { outcome, resolved: [], output: '' };
  if (outcome.kind === 'clean') return unchanged;
  const candidates = outcome.conflicts.filter(isOfContents);
  if (candidates.length === 0) return unchanged;
  const key = await keyOf(workplace, environment, sides);
  const found = memory.get(key) ?? resolveInside(workplace, environment, candidates, sides, signal);
  memory.set(key, found);
  const { edits, output } = await found;
  const taken = edits.filter((edit) => candidates.some(({ path }) => path === edit.path));
  if (taken.length === 0) return { ...unchanged, output };
  const tree = await workplace.repository.editTree(outcome.tree, taken);
  const done = new Set(taken.map(({ path }) => path));
  const left = outcome.conflicts.filter(({ path }) => !done.has(path));
  const resolved = taken.map(({ path, command }) => ({
    path: textOf(path),
    by: command === null ? ('merge driver' as const) : ('regenerated' as const),
    command,
  }));
  return {
    outcome: left.length === 0 ? { kind: 'clean', tree } : { ...outcome, tree, conflicts: left },
    resolved,
    output,
  };
}

async function keyOf({ repository }: Workplace, { name }: Environment, { base, ours, theirs }: Sides): Promise<string> {
  // Files, not commits: the tail may have become a commit meanwhile.
  const trees = await Promise.all([base, ours, theirs].map((each) => repository.editTree(each, [])));
  return [name, ...trees].join(' ');
}

interface FoundInside {
  readonly edits: readonly {
    readonly path: Conflict['path'];
    readonly entry: TreeEntry;
    /** The command that made it anew; null for a driver. */
    readonly command: string | null;
  }[];
  readonly output: string;
}

async function resolveInside(
  workplace: Workplace,
  environment: Environment,
  candidates: readonly Conflict[],
  sides: Sides,
  signal: AbortSignal | undefined,
): Promise<FoundInside> {
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  const container = await findContainer(workplace, environment);
  if (container?.state !== 'running' || !(await hasGit(runtime, container))) return nothingFound;
  const commands = commandsFor(environment, candidates);
  const look = await runInside(runtime, container.id, ['sh', '-c', lookScript]);
  if (commands.length === 0 && look.status === nothing) return nothingFound;
  const inside = { runtime, container };
  const { entries, output } = await runMerge(workplace, environment, inside, { sides, commands, signal });
  const edits = await takeOver(workplace, environment, inside, candidates, entries);
  const commandOf = new Map(commands.map(({ path, command }) => [path, command]));
  return { edits: edits.map((edit) => ({ ...edit, command: commandOf.get(textOf(edit.path)) ?? null })), output };
}

const nothingFound: FoundInside = { edits: [], output: '' };

/** Both sides have a file there, of the same mode: what a driver or command may decide. */
function isOfContents({ ours, theirs }: Conflict): boolean {
  return ours !== undefined && ours.mode === theirs?.mode && (ours.mode === '100644' || ours.mode === '100755');
}

function commandsFor({ record }: Environment, conflicts: readonly Conflict[]) {
  const rules = Object.entries(record.spec.merge?.regenerate ?? {}).map(([pattern, command]) => ({
    pattern: parsePathPattern(pattern, false),
    command,
  }));
  return conflicts.flatMap(({ path }) => {
    const rule = rules.find(({ pattern }) =>
      pattern.matches(pattern.anywhere ? path.slice(path.lastIndexOf('/') + 1) : path),
    );
    return rule === undefined ? [] : [{ path: textOf(path), command: rule.command }];
  });
}

interface Inside {
  readonly runtime: Runtime;
  readonly container: Container;
}

async function runMerge(
  workplace: Workplace,
  environment: Environment,
  { runtime, container }: Inside,
  {
    sides: { base, ours, theirs },
    commands,
    signal,
  }: {
    readonly sides: Sides;
    readonly commands: ReturnType<typeof commandsFor>;
    readonly signal: AbortSignal | undefined;
  },
) {
  const { repository, transport } = workplace;
  const layout = await layoutOf(workplace, environment, runtime);
  // Dressed so that git inside finds just this base, and needs no history but these three trees.
  const dress = async (treeish: Oid, parents: readonly Oid[], message: string) =>
    repository.writeCommit({
      tree: await repository.editTree(treeish, []),
      parents,
      author: environment.record.author,
      committer: environment.record.author,
      message,
    });
  const root = await dress(base, [], 'base\n');
  const [left, right] = [await dress(ours, [root], 'ours\n'), await dress(theirs, [root], 'theirs\n')];
  const both = await dress(ours, [left, right], 'both\n');
  await transport.push(pipeInto(runtime, container.id), layout.git, both, candidateRef);
  const rules = commands.flatMap(({ path, command }) => [path, command]);
  const done = await readInside(runtime, container.id, ['sh', '-c', mergeScript, 'sh', ...rules], {
    workdir: layout.tree,
    timeoutSeconds: 1800,
    environment: { COPPICE_OURS: left, COPPICE_THEIRS: right },
    atMost: largest,
    ...(signal === undefined ? {} : { signal }),
  });
  if (signal?.aborted) {
    await runInside(runtime, container.id, ['sh', '-c', sweepScript(candidateRef)], { workdir: layout.tree });
  }
  return {
    entries: done.status === 0 ? parseEntries(done.stdout) : new Map<string, Entry>(),
    output: done.stderr.trim(),
  };
}

interface Entry {
  readonly mode: string;
  readonly oid: string;
}

/** `<mode> <oid> <stage> TAB <path> NUL`; only stage 0, without conflict. */
function parseEntries(listed: Buffer): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const line of listed.toString('latin1').split('\0')) {
    const match = /^(\d{6}) ([0-9a-f]{40,64}) 0\t(.+)$/s.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined && match[3] !== undefined) {
      entries.set(match[3], { mode: match[1], oid: match[2] });
    }
  }
  return entries;
}

/** Reads what the inside made of each conflict. With markers left in it nothing is resolved. */
async function takeOver(
  workplace: Workplace,
  environment: Environment,
  { runtime, container }: Inside,
  candidates: readonly Conflict[],
  entries: ReadonlyMap<string, Entry>,
) {
  const { tree: workdir } = await layoutOf(workplace, environment, runtime);
  const edits: { path: Conflict['path']; entry: TreeEntry }[] = [];
  for (const { path, ours } of candidates) {
    const entry = entries.get(path);
    if (entry === undefined || ours === undefined) continue;
    const read = await readInside(runtime, container.id, ['git', 'cat-file', 'blob', entry.oid], {
      workdir,
      timeoutSeconds: 300,
      atMost: largest,
    });
    if (read.status !== 0 || read.cut || countConflicts(read.stdout) > 0) continue;
    edits.push({ path, entry: { mode: ours.mode, oid: await workplace.repository.writeBlob(read.stdout) } });
  }
  return edits;
}
