/** Reads commits: one, or a range of them in order. */
import { CoppiceError } from '../../domain/error.ts';
import { isOid, type Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { parseCommit } from '../objects/commit-object.ts';
import type { CommitInfo } from '../repository.ts';
import { readObjects } from './cat-file.ts';

export interface LogRange {
  readonly start: Oid;
  readonly also?: readonly Oid[];
  readonly exclude?: readonly Oid[];
  readonly limit?: number;
  readonly firstParent?: boolean;
  readonly path?: string;
  readonly paths?: readonly string[];
}

export async function readCommit(git: HostGit, oid: Oid): Promise<CommitInfo> {
  const [commit] = await readCommits(git, [oid]);
  if (commit === undefined) throw new CoppiceError('bug', 'no-commit', `Nothing was read for ${oid}.`);
  return commit;
}

export async function log(git: HostGit, range: LogRange): Promise<readonly CommitInfo[]> {
  const args = [
    'rev-list',
    ...(range.limit === undefined ? [] : [`--max-count=${range.limit}`]),
    ...(range.firstParent ? ['--first-parent'] : []),
    '--stdin',
  ];
  const excluded = (range.exclude ?? []).map((oid) => `^${oid}`);
  const wanted = [...(range.path === undefined ? [] : [range.path]), ...(range.paths ?? [])];
  const paths = wanted.length === 0 ? [] : ['--', ...wanted];
  const input = `${[range.start, ...(range.also ?? []), ...excluded, ...paths].join('\n')}\n`;
  const listed = (await git.text(args, { input, env: { GIT_LITERAL_PATHSPECS: '1' } })).split('\n').filter(isOid);
  return readCommits(git, listed);
}

export async function readCommits(git: HostGit, oids: readonly Oid[]): Promise<readonly CommitInfo[]> {
  const objects = await readObjects(git, oids);
  return oids.map((oid, index) => {
    const object = objects[index];
    if (object?.type === 'commit') return parseCommit(oid, object.content);
    throw new CoppiceError('not-found', 'no-such-commit', `${oid} is not a commit in this repository.`, {
      hint: 'Fetch the commit, or check the object name.',
      data: { oid },
    });
  });
}

export async function isAncestor(git: HostGit, ancestor: Oid, descendant: Oid): Promise<boolean> {
  const args = ['merge-base', '--is-ancestor', ancestor, descendant];
  return (await git.run(args, { allow: [0, 1] })).status === 0;
}

/** The first one where there are several; undefined for histories that share nothing. */
export async function mergeBase(
  git: HostGit,
  left: Oid,
  right: Oid,
  env: Readonly<Record<string, string>> = {},
): Promise<Oid | undefined> {
  const { stdout } = await git.run(['merge-base', left, right], { allow: [0, 1], env });
  const oid = stdout.toString('latin1').trim();
  return isOid(oid) ? oid : undefined;
}
