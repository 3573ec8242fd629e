/**
 * Moves the branch by compare-and-swap through a long-lived `git update-ref --stdin`, which also writes the reflog as
 * the repository is configured. It dies of a failed transaction (all versions of git do that); the next move starts anew.
 */
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { Started } from '../../platform/process.ts';
import type { HostGit } from '../host-git.ts';
import type { Identity } from '../repository.ts';

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
      const moved = await used
        .then((one) => one.transact(`update ${branch} ${after} ${before}`))
        .catch((error: unknown) => {
          session = undefined;
          throw error;
        });
      if (!moved && session === used) session = undefined;
      timer = setTimeout(() => void stop(), idleLimit);
      timer.unref();
      return moved;
    },
    close: stop,
  };
}

interface Session {
  /** False once the process has ended, whatever the reason. */
  transact(command: string): Promise<boolean>;
  end(): Promise<void>;
}

function openSession(child: Started): Session {
  let text = '';
  let ended = false;
  let waiting: ((committed: boolean) => void) | undefined;
  const answer = (committed: boolean) => {
    text = '';
    waiting?.(committed);
    waiting = undefined;
  };
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (text.includes('commit: ok\n')) answer(true);
  });
  child.stderr.resume();
  void child.exit.then(() => {
    ended = true;
    answer(false);
  });
  return {
    transact: (command) =>
      new Promise((resolve) => {
        if (ended) {
          resolve(false);
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
