/** What both sides of a conflict were about: their commits since they parted, and which of them touched which file. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import type { ConflictRecord } from '../../domain/environment.ts';
import { isEnvironmentName } from '../../domain/environment-name.ts';
import type { Oid } from '../../domain/oid.ts';
import type { CommitInfo } from '../../git/repository.ts';
import { readEnvironment } from '../find.ts';
import type { Workplace } from '../workplace.ts';
import { otherName } from './conflict.ts';

export interface Side {
  /** An environment's name or a branch's. */
  readonly name: string;
  readonly title: string | null;
  /** Newest first, at most fifty. */
  readonly commits: readonly CommitInfo[];
}

export interface ConflictedFile {
  readonly path: string;
  readonly kind: string;
  /** The commits of each side that changed it; only asked of the first files. */
  readonly ours: readonly Oid[];
  readonly theirs: readonly Oid[];
}

export interface Intents {
  readonly ours: Side;
  readonly theirs: Side;
  readonly files: readonly ConflictedFile[];
}

const mostCommits = 50;
/** Files whose commits are looked for: a question to git each. */
const mostFiles = 12;

export async function intentsOf(workplace: Workplace, conflict: ConflictRecord): Promise<Intents> {
  const { ours, theirs, environment } = conflict;
  const [own, other] = await Promise.all([
    workplace.repository.log({ start: ours, exclude: [theirs], limit: mostCommits }),
    workplace.repository.log({ start: theirs, exclude: [ours], limit: mostCommits }),
  ]);
  const otherTitle = conflict.with.kind === 'environment' ? await titleOf(workplace, conflict.with.name) : null;
  return {
    ours: { name: environment, title: await titleOf(workplace, environment), commits: own },
    theirs: { name: otherName(conflict), title: otherTitle, commits: other },
    files: await filesOf(workplace, conflict),
  };
}

async function titleOf(workplace: Workplace, name: string): Promise<string | null> {
  const environment = isEnvironmentName(name) ? await readEnvironment(workplace, name) : undefined;
  return environment?.record.title ?? null;
}

async function filesOf(workplace: Workplace, conflict: ConflictRecord): Promise<readonly ConflictedFile[]> {
  const touched = async (path: string, start: Oid, exclude: Oid) =>
    (await workplace.repository.log({ start, exclude: [exclude], path, limit: 5 })).map(({ oid }) => oid);
  return Promise.all(
    conflict.files.map(async ({ path: bytes, kind }, index) => {
      const path = textOf(bytes as BytePath);
      if (index >= mostFiles) return { path, kind, ours: [], theirs: [] };
      const { ours, theirs } = conflict;
      return { path, kind, ours: await touched(path, ours, theirs), theirs: await touched(path, theirs, ours) };
    }),
  );
}
