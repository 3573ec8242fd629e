/** The worktrees of a repository, as git registers them. */
import { isOid } from '../../domain/oid.ts';
import { isRefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';
import type { Worktree } from '../repository.ts';

/** `worktree list --porcelain -z`: `<key> SP <value> NUL` lines, an empty one after each worktree. */
export async function listWorktrees(git: HostGit): Promise<readonly Worktree[]> {
  const text = await git.text(['worktree', 'list', '--porcelain', '-z']);
  return text
    .split('\0\0')
    .map((record) => record.split('\0').filter((line) => line !== ''))
    .filter((lines) => lines.length > 0)
    .map(parseRecord);
}

function parseRecord(lines: readonly string[]): Worktree {
  const value = (key: string) => lines.find((line) => line.startsWith(`${key} `))?.slice(key.length + 1) ?? '';
  const [head, branch] = [value('HEAD'), value('branch')];
  return {
    path: value('worktree'),
    head: isOid(head) && !/^0+$/.test(head) ? head : null,
    branch: isRefName(branch) ? branch : null,
    bare: lines.includes('bare'),
  };
}
