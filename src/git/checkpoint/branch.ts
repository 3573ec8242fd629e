/**
 * Moves the branch by compare-and-swap through a long-lived `git update-ref --stdin`, which also writes the reflog as
 * the repository is configured. It dies of a failed transaction (all versions of git do that); the next move starts anew.
 */
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { Started } from '../../platform/process.ts';
import type { HostGit } from '../host-git.ts';
import type { Identity } from '../repository.ts';
import { removeLockOf } from './abandoned-lock.ts';

export interface BranchMover {
  /** True when the branch was at `before` and is durably at `after` now. */
  move(branch: RefName, before: Oid, after: Oid): Promise<boolean>;
  close(): Promise<void>;
}

const idleLimit = 15_000;
const reason = 'coppice: checkpoint';

/** `who` stands in the reflog. */
export function openBranchMover(git: HostGit, who: Identity): BranchMover {
  let session: Promise<Session> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const stop = async () => {
    clearTimeout(timer);
    const ending = session;
    session = undefined;
    await (await ending)?.end();
  };
  const begin = () =>
    git
      .start(['update-ref', '-m', reason, '--stdin'], {
        config: ['core.fsync=reference'],
        env: { GIT_COMMITTER_NAME: who.name || 'coppice', GIT_COMMITTER_EMAIL: who.email },
      })
      .then(openSession);
  return {
    async move(branch, before, after) {
      clearTimeout(timer);
      session ??= begin();
      const used = session;
      const outcome = await used
        .then((one) => one.transact(`update ${branch} ${after} ${before}`))
        .catch((error: unknown) => {
          session = undefined;
          throw error;
        });
      const moved = outcome === 'committed';
      if (!moved && session === used) session = undefined;
      if (outcome === 'killed') await removeLockOf(git.commonDirectory, branch, after);
      timer = setTimeout(() => void stop(), idleLimit);
      timer.unref();
      return moved;
    },
    close: stop,
  };
}

type Outcome = 'committed' | 'refused' | 'killed';

interface Session {
  /** `refused`, `killed`: the process has ended, by itself or by a signal. */
  transact(command: string): Promise<Outcome>;
  end(): Promise<void>;
}

function openSession(child: Started): Session {
  let text = '';
  let ended = false;
  let waiting: ((outcome: Outcome) => void) | undefined;
  const answer = (outcome: Outcome) => {
    text = '';
    waiting?.(outcome);
    waiting = undefined;
  };
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (text.includes('commit: ok\n')) answer('committed');
  });
  child.stderr.resume();
  void child.exit.then((status) => {
    ended = true;
    answer(status > 128 ? 'killed' : 'refused');
  });
  return {
    transact: (command) =>
      new Promise((resolve) => {
        if (ended) {
          // It asked for nothing, so it left no lock.
          resolve('refused');
          return;
        }
        waiting = resolve;
        child.stdin.write(`start\n${command}\nprepare\ncommit\n`);
      }),
    async end() {
      child.stdin.end();
      await child.exit;
    },
  };
}
