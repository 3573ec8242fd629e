/**
 * The repository's hooks for a merge, run inside the container, where what an agent wrote may run: pre-merge-commit in a
 * throw-away worktree of the result, prepare-commit-msg and commit-msg on its message.
 */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { hasGit } from '../commit.ts';
import { findContainer, layoutOf, pipeInto, runInside } from '../container.ts';
import type { Environment } from '../environment.ts';
import { scratchScript, sweepScript } from '../scratch-script.ts';
import type { Workplace } from '../workplace.ts';

export interface HookRequest {
  /** The commit as it would be made: its tree is what the hooks see, its first parent what HEAD is. Asked where there are hooks. */
  readonly draft: () => Promise<{ readonly commit: Oid; readonly before: Oid }>;
  /** The commit merged; undefined for a squash, which is no merge to git. */
  readonly theirs: Oid | undefined;
  readonly message: string;
  readonly signal?: AbortSignal | undefined;
}

export interface HooksRun {
  /** `not-run`: the container does not run, or has no git. */
  readonly ran: 'ran' | 'none' | 'not-run';
  /** As the hooks left it. */
  readonly message: string;
  /** What they wrote. */
  readonly output: string;
}

const candidateRef = 'refs/coppice/merging';
const noHooks = 76;
/** A message longer than this was not written by a hook in its right mind. */
const longest = 65_536;

const lookScript = `
hooks=$(git rev-parse --git-path hooks) || exit 1
for hook in $COPPICE_HOOKS; do test -x "$hooks/$hook" && exit 0; done
exit ${noHooks}
`;

/** Its own stdout is the message; all that hooks write goes to stderr. */
const runScript = `
${scratchScript(candidateRef)}hooks=$(git rev-parse --git-path hooks)
export GIT_EDITOR=:
if test -n "$COPPICE_THEIRS" && test -x "$hooks/pre-merge-commit"; then
  git worktree add -q --detach --no-checkout "$work/tree" "$COPPICE_BEFORE" || exit 1
  cd "$work/tree" || exit 1
  git read-tree -u --reset "$COPPICE_DRAFT" || exit 1
  printf '%s\\n' "$COPPICE_THEIRS" > "$(git rev-parse --git-path MERGE_HEAD)" || exit 1
  git hook run --ignore-missing pre-merge-commit || exit
  cd "$top" || exit 1
fi
printf '%s\\n' "$COPPICE_MESSAGE" > "$work/message" || exit 1
if test -n "$COPPICE_THEIRS"; then source=merge; else source=squash; fi
git hook run --ignore-missing prepare-commit-msg -- "$work/message" "$source" || exit
git hook run --ignore-missing commit-msg -- "$work/message" || exit
cat "$work/message" >&3
`;

/** Throws `merge-refused` when a hook does. Nothing has changed then. */
export async function runMergeHooks(
  workplace: Workplace,
  environment: Environment,
  { draft: drafted, theirs, message, signal }: HookRequest,
): Promise<HooksRun> {
  const untouched = { message, output: '' };
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  const container = await findContainer(workplace, environment);
  if (container?.state !== 'running' || !(await hasGit(runtime, container))) return { ran: 'not-run', ...untouched };
  const layout = await layoutOf(workplace, environment, runtime);
  const workdir = layout.tree;
  const hooks = ['prepare-commit-msg', 'commit-msg', ...(theirs === undefined ? [] : ['pre-merge-commit'])].join(' ');
  const look = await runInside(runtime, container.id, ['sh', '-c', lookScript], {
    workdir,
    environment: { COPPICE_HOOKS: hooks },
  });
  if (look.status === noHooks) return { ran: 'none', ...untouched };
  const { commit: draft, before } = await drafted();
  await workplace.transport.push(pipeInto(runtime, container.id), layout.git, draft, candidateRef);
  const done = await runInside(runtime, container.id, ['sh', '-c', runScript], {
    workdir,
    timeoutSeconds: 1800,
    ...(signal === undefined ? {} : { signal }),
    environment: {
      COPPICE_DRAFT: draft,
      COPPICE_BEFORE: before,
      COPPICE_THEIRS: theirs ?? '',
      COPPICE_MESSAGE: message.trimEnd(),
    },
  });
  if (signal?.aborted) await runInside(runtime, container.id, ['sh', '-c', sweepScript(candidateRef)], { workdir });
  if (done.status !== 0) throw refused(environment, done.status, done.stderr.trim());
  const written = done.stdout.slice(0, longest).trim();
  return { ran: 'ran', message: written === '' ? message : `${written}\n`, output: done.stderr.trim() };
}

function refused({ name }: Environment, status: number, output: string): CoppiceError {
  return new CoppiceError(
    'failed',
    'merge-refused',
    `A hook of the repository refused the merge of ${name} (status ${status}).`,
    {
      hint: `${output === '' ? 'It said nothing.' : `It said:\n${output}`}\nNothing was changed. --no-verify leaves the hooks out.`,
      data: { status, output },
    },
  );
}
