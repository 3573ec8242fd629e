/**
 * Turns the tail into a commit. Where git works inside, git itself makes it there, with the repository's hooks, and it
 * comes out like any commit of the agent; else it is made on the host and brought in at the next start.
 */

import type { Held } from '../domain/change.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { Identity } from '../git/repository.ts';
import type { Container, Runtime } from '../runtime/runtime.ts';
import { composeMessage } from './compose-message.ts';
import { refuseMarkers } from './conflicts/markers.ts';
import { findContainer, layoutOf, pipeInto, runInside } from './container.ts';
import type { Environment } from './environment.ts';
import { followHead, headMoved } from './follow-head.ts';
import { importCommits, noteHint } from './import-commits.ts';
import { startOfWork } from './merged/merged.ts';
import { type Reconciled, reconcileFully } from './reconcile.ts';
import { withSaving } from './saving.ts';
import type { Workplace } from './workplace.ts';

export interface CommitRequest {
  readonly message: string;
  readonly author: Identity;
  /** Skips pre-commit and commit-msg; the commit says so in a trailer. */
  readonly noVerify: boolean;
  /** Conflict markers are refused where they came in since the last commit, or with any of the work that this branch lacks. */
  readonly markers?: 'allow' | { readonly newTo: RefName };
}

/** Without a message one is composed. */
export type CommitTailRequest = Omit<CommitRequest, 'message'> & { readonly message: string | undefined };

export interface Committed {
  readonly environment: Environment;
  readonly commit: Oid;
  /** As it was given or composed; a hook may have changed it. */
  readonly message: string;
  /** What the hooks wrote. */
  readonly output: string;
  readonly made: 'inside' | 'outside';
  /** What is not in the commit because it is held. */
  readonly held: readonly Held[];
}

/** Where what is pushed into an environment is named inside, until it has been taken. */
export const incomingRef = 'refs/coppice/incoming';

/** Exit statuses of the script below that are not git's own. */
const headMovedStatus = 75;

/**
 * The agent's index is put aside, set to the tree of the tip, and put back if the commit is refused, so that a hook sees
 * exactly what will be committed and a refusal changes nothing.
 */
const commitScript = `
set -u
test "$(git rev-parse HEAD)" = "$COPPICE_HEAD" || exit ${headMovedStatus}
index=$(git rev-parse --git-path index)
rm -f "$index.coppice"; test ! -f "$index" || cp "$index" "$index.coppice" || exit 1
if test "$COPPICE_TAKE" = everything; then git read-tree "$COPPICE_TIP" || exit 1
else git diff --name-only --diff-filter=U -z | git add -A --pathspec-from-file=- --pathspec-file-nul || exit 1; fi
git update-index -q --refresh >/dev/null 2>&1
git commit -q $COPPICE_FLAGS -m "$COPPICE_MESSAGE"
status=$?
if test "$status" -eq 0; then rm -f "$index.coppice"; elif test -f "$index.coppice"; then mv -f "$index.coppice" "$index"; fi
git update-ref -d ${incomingRef}
exit $status
`;

/**
 * Everything in the environment becomes one commit; with `looked`, everything that this look found. Throws `nothing-to-commit`, `commit-refused`, `operation-in-progress`,
 * `conflict-markers`.
 */
export async function commitTail(
  workplace: Workplace,
  start: Environment,
  asked: CommitTailRequest,
  looked?: Reconciled,
): Promise<Committed> {
  const { environment, operation, held } = looked ?? (await reconcileFully(workplace, start));
  if (operation !== undefined) throw inProgress(environment, operation);
  const { markers } = asked;
  if (markers !== 'allow') {
    const since =
      markers === undefined ? environment.at.head : await startOfWork(workplace, environment, markers.newTo);
    await refuseMarkers(workplace, environment, since);
  }
  if (await sameTree(workplace, environment.at.tip, environment.at.head)) {
    throw new CoppiceError(
      'failed',
      'nothing-to-commit',
      `Nothing has changed in ${environment.name} since its last commit.`,
      {
        hint: `\`coppice log ${environment.name}\` shows its commits.`,
      },
    );
  }
  const message = asked.message ?? (await composeMessage(workplace, environment));
  const request = { ...asked, message };
  const container = await findContainer(workplace, environment);
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  if (container?.state === 'running' && (await hasGit(runtime, container))) {
    return { ...(await commitInside(workplace, environment, { runtime, container, held }, request)), message, held };
  }
  return { ...(await commitOutside(workplace, environment, request)), message, held };
}

async function sameTree({ repository }: Workplace, left: Oid, right: Oid): Promise<boolean> {
  if (left === right) return true;
  const [one, other] = await Promise.all([repository.readCommit(left), repository.readCommit(right)]);
  return one.tree === other.tree;
}

export function inProgress(environment: Environment, operation: string): CoppiceError {
  return new CoppiceError(
    'refused',
    'operation-in-progress',
    `A ${operation} is under way inside ${environment.name}.`,
    { hint: howToEnd(environment, operation), data: { operation } },
  );
}

function howToEnd({ name, record }: Environment, operation: string): string {
  const { conflict } = record;
  if (conflict !== undefined && operation === 'merge') {
    return `Resolve it there, then \`coppice resolve ${conflict.environment} --continue\`; --abort gives up.`;
  }
  if (operation === 'merge') {
    return `Resolve it there and \`git commit\`. One that sync began: \`coppice sync ${name} --continue\` or --abort; any other: \`coppice exec ${name} -- git merge --abort\`.`;
  }
  return `Let it finish, or end it with \`coppice exec ${name} -- git ${operation} --abort\`.`;
}

export async function hasGit(runtime: Runtime, container: Container): Promise<boolean> {
  const { status } = await runInside(runtime, container.id, ['git', '--version']);
  return status === 0;
}

/**
 * Everything that is checkpointed; where a merge is under way this concludes it. `merge`: only what git has staged, and what
 * is unmerged as it is in the files.
 */
export async function commitInside(
  workplace: Workplace,
  environment: Environment,
  { runtime, container, held }: { runtime: Runtime; container: Container; held: readonly Held[] },
  request: CommitRequest,
  take: 'everything' | 'merge' = 'everything',
): Promise<Omit<Committed, 'held' | 'message'>> {
  const { at } = environment;
  const layout = await layoutOf(workplace, environment, runtime);
  await workplace.transport.push(pipeInto(runtime, container.id), layout.git, at.tip, incomingRef);
  const { name, email } = request.author;
  const done = await runInside(runtime, container.id, ['sh', '-c', commitScript], {
    workdir: layout.tree,
    timeoutSeconds: 1800,
    environment: {
      COPPICE_HEAD: at.head,
      COPPICE_TIP: at.tip,
      COPPICE_TAKE: take,
      GIT_LITERAL_PATHSPECS: '1',
      COPPICE_MESSAGE: messageOf(request),
      COPPICE_FLAGS: request.noVerify ? '--no-verify' : '',
      GIT_AUTHOR_NAME: name,
      GIT_AUTHOR_EMAIL: email,
      GIT_COMMITTER_NAME: name,
      GIT_COMMITTER_EMAIL: email,
      GIT_EDITOR: 'true',
    },
  });
  const output = `${done.stdout}${done.stderr}`.trim();
  if (done.status === headMovedStatus) throw headMoved(environment);
  if (done.status !== 0) throw refused(environment, done.status, output);
  // A hook may have changed the files.
  const after = await withSaving(workplace, environment, undefined, (save) =>
    importCommits(workplace, environment, {
      held,
      look: (paths) => save({ cause: 'commit', paths }),
    }),
  );
  return { environment: after, commit: after.at.head, output, made: 'inside' };
}

function refused(environment: Environment, status: number, output: string): CoppiceError {
  return new CoppiceError(
    'failed',
    'commit-refused',
    `The commit in ${environment.name} was refused (status ${status}).`,
    {
      hint: output === '' ? 'A hook of the repository refused it without a word.' : `It said:\n${output}`,
      data: { status, output },
    },
  );
}

async function commitOutside(
  workplace: Workplace,
  environment: Environment,
  request: CommitRequest,
): Promise<Omit<Committed, 'held' | 'message'>> {
  const { repository } = workplace;
  const { tree } = await repository.readCommit(environment.at.tip);
  const { author } = request;
  const message = `${messageOf(request)}\n`;
  const commit = await repository.writeCommit({
    tree,
    parents: [environment.at.head],
    author,
    committer: author,
    message,
  });
  const followed = await followHead(workplace, environment, {
    head: commit,
    cause: 'commit',
    from: environment.at.head,
    outside: true,
  });
  return { environment: followed.environment, commit, output: '', made: 'outside' };
}

function messageOf({ message, noVerify }: CommitRequest): string {
  const text = message.trim();
  return noVerify ? `${text}\n\nCoppice-Hooks: skipped` : text;
}

/** Moves HEAD inside to a commit made on the host, its files untouched. Only where HEAD is still what that commit stands on. */
const bringInScript = `
set -u
git merge-base --is-ancestor HEAD ${incomingRef} || exit ${headMovedStatus}
git reset -q ${incomingRef} || exit 1
git update-ref -d ${incomingRef}
`;

/** Tells the agent's own repository of a commit made outside, if there is one and git works inside. */
export async function bringInOutside(workplace: Workplace, environment: Environment): Promise<void> {
  const { outside } = environment.at;
  const container = await findContainer(workplace, environment);
  if (outside === undefined || container?.state !== 'running') return;
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  if (!(await hasGit(runtime, container))) return;
  if ((await workplace.agentGit.operationInProgress(environment.directories.git)) !== undefined) return;
  const layout = await layoutOf(workplace, environment, runtime);
  await workplace.transport.push(pipeInto(runtime, container.id), layout.git, outside, incomingRef);
  const done = await runInside(runtime, container.id, ['sh', '-c', bringInScript], { workdir: layout.tree });
  if (done.status !== 0) return;
  await noteHint(workplace, environment);
  const update = { name: environment.refs.outside, before: outside, after: null };
  await workplace.repository.updateRefs([update], 'coppice: brought in');
}
