/** Moves references, all or none, and says in machine terms why it could not. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { type ObjectFormat, zeroOid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';
import type { RefUpdate } from '../repository.ts';
import { listRefs } from './references.ts';

/** Milliseconds during which somebody else's lock file is waited for. */
const patience = 3_000;

/** Git itself waits for locks; references are on the disk when it answers. */
const config = ['core.filesRefLockTimeout=1000', 'core.packedRefsTimeout=2000', 'core.fsync=reference'];

/** Who the reflog says moved the branch. */
const mover = { GIT_COMMITTER_NAME: 'coppice', GIT_COMMITTER_EMAIL: 'coppice@localhost' };

export async function updateReferences(
  git: HostGit,
  format: ObjectFormat,
  updates: readonly RefUpdate[],
  reason: string,
): Promise<void> {
  if (updates.length === 0) return;
  const input = transaction(updates, format);
  const until = performance.now() + patience;
  for (let attempt = 1; ; attempt++) {
    try {
      await git.run(['update-ref', '-m', reason, '--stdin', '-z'], { input, config, env: mover });
      return;
    } catch (error) {
      if (!hasCode(error, 'git-failed')) throw error;
      await refuseLastingTrouble(git, updates);
      const locked = await lockFiles(git, updates);
      // Without a lock file the trouble may just have passed; the same answer thrice is an answer.
      if (locked.length === 0 && attempt >= 3) throw error;
      if (performance.now() > until) throw lockedError(locked, error);
    }
    await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 40));
  }
}

function transaction(updates: readonly RefUpdate[], format: ObjectFormat): string {
  const zero = zeroOid(format);
  const lines = updates.map(({ name, before, after }) => {
    if (after === null && before !== null) return `option no-deref\0delete ${name}\0${before}\0`;
    if (before === after) return `verify ${name}\0${before ?? zero}\0`;
    return `update ${name}\0${after ?? zero}\0${before ?? zero}\0`;
  });
  return `start\0${lines.join('')}prepare\0commit\0`;
}

/** Throws for what waiting does not mend: a reference that is not what was expected, or a name that cannot be. */
async function refuseLastingTrouble(git: HostGit, updates: readonly RefUpdate[]): Promise<void> {
  const now = new Map((await listRefs(git, [])).map((ref) => [ref.name, ref.oid]));
  const moved = updates.filter(({ name, before }) => (now.get(name) ?? null) !== before);
  if (moved.length > 0) {
    const names = moved.map((update) => update.name);
    throw new CoppiceError('conflict', 'ref-moved', `${names.join(', ')} changed meanwhile.`, {
      hint: 'Try again: somebody else moved it first.',
      data: { refs: moved.map(({ name, before }) => ({ name, expected: before, found: now.get(name) ?? null })) },
    });
  }
  refuseClashes(updates, [...now.keys()]);
}

function refuseClashes(updates: readonly RefUpdate[], existing: readonly RefName[]): void {
  const leaving = new Set(updates.filter((update) => update.after === null).map((update) => update.name));
  const coming = updates.filter((update) => update.after !== null).map((update) => update.name);
  const staying = [...existing.filter((name) => !leaving.has(name)), ...coming];
  for (const name of coming) {
    const other = staying.find((taken) => taken.startsWith(`${name}/`) || name.startsWith(`${taken}/`));
    if (other === undefined) continue;
    throw new CoppiceError('refused', 'ref-name-taken', `${name} cannot exist beside ${other}.`, {
      hint: 'Choose another name, or rename the other one: git keeps one as a file where the other needs a directory.',
      data: { name, other },
    });
  }
}

async function lockFiles(git: HostGit, updates: readonly RefUpdate[]): Promise<readonly string[]> {
  const candidates = [...updates.map(({ name }) => name), 'packed-refs', 'HEAD'].map((name) =>
    join(git.commonDirectory, `${name}.lock`),
  );
  const found = await Promise.all(
    candidates.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return candidates.filter((_, index) => found[index]);
}

function lockedError(files: readonly string[], cause: unknown): CoppiceError {
  return new CoppiceError('unavailable', 'ref-locked', `A lock file stays in the way: ${files.join(', ')}.`, {
    hint: 'If no git process is running, a crashed one left it: remove the file and try again.',
    data: { files },
    cause,
  });
}
