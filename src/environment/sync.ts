/** Brings a branch's commits into an environment, by a merge that git makes inside, in its own form, at a quiet moment. */
import type { Held } from '../domain/change.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import { isOid, type Oid } from '../domain/oid.ts';
import { parseRefName, type RefName, shortName } from '../domain/ref-name.ts';
import { refuseIfBusy } from './busy.ts';
import { commitTail } from './commit.ts';
import { layoutOf, runInside, runningContainer } from './container.ts';
import type { Environment } from './environment.ts';
import { concludeMerge } from './merge/conclude.ts';
import { abortInside, gitMergeInside, type Inside, type InsideConflict } from './merge/git-merge.ts';
import { waitForQuiet } from './quiet.ts';
import { type Reconciled, reconcileFully } from './reconcile.ts';
import type { Workplace } from './workplace.ts';

export interface SyncRequest {
  readonly from: RefName;
  /** Commits what is uncommitted first, with this message. */
  readonly message: string | undefined;
  /** Seconds to wait while a command goes on writing. */
  readonly wait: number;
  /** Though one does. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

export interface Synced {
  readonly environment: Environment;
  readonly from: RefName;
  readonly commit: Oid;
  readonly kind: 'merged' | 'nothing-to-do' | 'conflict';
  readonly files: readonly InsideConflict[];
  /** Of these the ones that were resolved as before. They wait for somebody to look at them all the same. */
  readonly remembered: readonly string[];
  readonly held: readonly Held[];
  /** Files of Git LFS that came as pointers, because their content is not here. */
  readonly pointers: number;
}

/** The branch appears inside under this name, so that `git log` and `git diff` there can name it. */
const insideRefs = 'refs/remotes/coppice/';

/**
 * A conflict stays inside, as git leaves it: markers in the files, stages in the index. Throws before anything changed:
 * `environment-busy`, `operation-in-progress`, `overlap`, `in-the-way` (kind `refused`), `not-running`, `branch-not-found`.
 */
export async function syncFrom(workplace: Workplace, start: Environment, request: SyncRequest): Promise<Synced> {
  const { repository, settings } = workplace;
  const { from } = request;
  const commit = await repository.readRef(from);
  if (commit === undefined) {
    throw new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(from)}.`, {
      hint: '`git branch` lists them.',
    });
  }
  const quiet = await waitForQuiet(workplace, start, { ...request, anyway: 'sync all the same' });
  const seen = await withTailCommitted(workplace, quiet, request.message);
  const { environment } = seen;
  const done = { from, commit, files: [], remembered: [], held: seen.held, pointers: 0 };
  if (await repository.isAncestor(commit, environment.at.head)) return { ...done, environment, kind: 'nothing-to-do' };
  const merged = await gitMergeInside(workplace, seen, await runningContainer(workplace, environment), {
    commit,
    ref: parseRefName(insideRefs + shortName(from)),
    label: shortName(from),
    message: `Merge branch '${shortName(from)}' into ${environment.name}`,
    // The work of another environment is nobody's but its own to see.
    shared: !from.startsWith(`refs/heads/${settings.branchPrefix}`),
  });
  return { ...done, ...merged };
}

async function withTailCommitted(
  workplace: Workplace,
  seen: Reconciled,
  message: string | undefined,
): Promise<Reconciled> {
  const { environment } = seen;
  if (message === undefined || environment.at.tip === environment.at.head) return seen;
  const author = (await workplace.repository.identity()) ?? environment.record.author;
  try {
    const done = await commitTail(workplace, environment, { message, author, noVerify: false });
    return { ...seen, environment: done.environment, held: done.held };
  } catch (error) {
    if (hasCode(error, 'nothing-to-commit')) return seen;
    throw error;
  }
}

/** For one environment alone a conflict is an error: whatever comes next must not take it for synced. */
export function syncConflict({ environment: { name }, from, files, remembered }: Synced): CoppiceError {
  const paths = files.map(({ path }) => path);
  const all = files.every(({ path }) => remembered.includes(path));
  const before =
    remembered.length === 0
      ? ''
      : ` Resolved as before, but not committed, so that you can look: ${remembered.join(', ')}.`;
  return new CoppiceError(
    'conflict',
    'sync-conflict',
    `${shortName(from)} conflicts with ${name} in ${paths.join(', ')}.`,
    {
      hint: `${all ? '' : 'The merge waits inside: resolve the markers there. '}\`git commit\` inside or \`coppice sync ${name} --continue\` concludes it; \`coppice sync ${name} --abort\` gives up.${before}`,
      data: { environment: name, from: shortName(from), files, remembered },
    },
  );
}

export interface EndRequest {
  readonly message: string | undefined;
  readonly noVerify: boolean;
  readonly allowMarkers: boolean;
  readonly force: boolean;
}

export interface Ended {
  readonly environment: Environment;
  readonly from: RefName;
  readonly commit: Oid;
  /** The checkpoint that has what was resolved so far. */
  readonly before: Oid;
  readonly held: readonly Held[];
}

/** Commits the merge that waits inside. Throws `no-sync` (kind `not-found`), and what `concludeMerge` throws. */
export async function continueSync(workplace: Workplace, start: Environment, request: EndRequest): Promise<Ended> {
  const { seen, inside, from, commit, message } = await underWay(workplace, start, request.force);
  const { at } = seen.environment;
  const outcome = await workplace.merging.merge(at.head, commit);
  const environment = await concludeMerge(workplace, seen, inside, {
    head: at.head,
    left: outcome.tree,
    files: outcome.kind === 'clean' ? [] : outcome.conflicts,
    remembered: [],
    take: 'merge',
    message: request.message ?? message,
    noVerify: request.noVerify,
    allowMarkers: request.allowMarkers,
  });
  return { environment, from, commit, before: at.tip, held: seen.held };
}

/** Ends the merge that waits inside; what was resolved so far stays a checkpoint. Throws `no-sync`, `abort-refused`. */
export async function abortSync(workplace: Workplace, start: Environment, force: boolean): Promise<Ended> {
  const { seen, inside, from, commit } = await underWay(workplace, start, force);
  const { name, at } = seen.environment;
  if (!(await abortInside(workplace, seen.environment, inside))) {
    throw new CoppiceError('failed', 'abort-refused', `git inside ${name} would not end the merge.`, {
      hint: `\`coppice exec ${name} -- git merge --abort\` says why.`,
    });
  }
  const after = await reconcileFully(workplace, seen.environment, { cause: `sync from ${shortName(from)} given up` });
  return { environment: after.environment, from, commit, before: at.tip, held: after.held };
}

/** The commit that is merged, what names it inside, and the message git has ready, a NUL after each. */
const stateScript = `
git rev-parse -q --verify MERGE_HEAD | tr '\\n' '\\0'
git for-each-ref --count=1 --points-at=MERGE_HEAD --format='%(refname)' ${insideRefs} | tr '\\n' '\\0'
git stripspace -s < "$(git rev-parse --git-path MERGE_MSG)"
`;

async function underWay(workplace: Workplace, start: Environment, force: boolean) {
  if (!force) await refuseIfBusy(workplace, start, 'end the merge all the same');
  const seen = await reconcileFully(workplace, start);
  const { environment } = seen;
  if (seen.operation !== 'merge') throw noSync(environment, seen.operation);
  const inside = await runningContainer(workplace, environment);
  const [commit = '', ref = '', message = ''] = await readState(workplace, environment, inside);
  if (!isOid(commit) || !ref.startsWith(insideRefs)) throw noSync(environment, seen.operation);
  const from = parseRefName(`refs/heads/${ref.slice(insideRefs.length)}`);
  const fallback = `Merge branch '${shortName(from)}' into ${environment.name}`;
  return { seen, inside, from, commit, message: message.trim() === '' ? fallback : message };
}

async function readState(workplace: Workplace, environment: Environment, { runtime, container }: Inside) {
  const workdir = (await layoutOf(workplace, environment, runtime)).tree;
  const { stdout } = await runInside(runtime, container.id, ['sh', '-c', stateScript], { workdir });
  return stdout.split('\0');
}

function noSync({ name }: Environment, operation: string | undefined): CoppiceError {
  const what =
    operation === undefined ? `No merge is under way inside ${name}.` : `The ${operation} inside ${name} is its own.`;
  return new CoppiceError('not-found', 'no-sync', what, {
    hint:
      operation === undefined
        ? `\`coppice sync ${name}\` begins one.`
        : `\`coppice exec ${name} -- git ${operation} --abort\` ends it, \`--continue\` goes on.`,
    data: { name },
  });
}
