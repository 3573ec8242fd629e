/** The configuration of an agent's own git directory: made from scratch, with little of the user's and no secret. Pure. */
import type { ObjectFormat } from '../../domain/oid.ts';
import type { Identity } from '../repository.ts';
import { type Setting, withoutCredentials } from './config-text.ts';
import { lfsFilter } from './lfs-filter.ts';
import type { LocalConfig } from './local-config.ts';
import type { Sparse } from './sparse.ts';

export interface OwnConfigRequest {
  readonly objectFormat: ObjectFormat;
  readonly author: Identity;
  /** Where the worktree is inside. */
  readonly tree: string;
  readonly user: LocalConfig;
  readonly sparse: Sparse | undefined;
}

/** How files are written and compared: the tree was checked out by these, so they must be the same inside. */
const carried = ['core.filemode', 'core.symlinks', 'core.ignorecase', 'core.autocrlf', 'core.eol'];

export function ownSettings(request: OwnConfigRequest): readonly Setting[] {
  const { user, objectFormat, author, sparse } = request;
  const hooks = user.get('core.hookspath');
  const known = (key: string): readonly Setting[] => {
    const value = user.get(key);
    return value === undefined ? [] : [[key, value]];
  };
  return [
    ['core.repositoryformatversion', objectFormat === 'sha1' ? '0' : '1'],
    ['core.bare', 'false'],
    ['core.logallrefupdates', 'true'],
    ['core.worktree', request.tree],
    ...carried.flatMap(known),
    // Husky and its like; an absolute path is a path of the host.
    ...(hooks === undefined || !isInTree(hooks) ? [] : known('core.hookspath')),
    ...(sparse?.settings ?? []),
    ...(objectFormat === 'sha1' ? [] : [['extensions.objectFormat', objectFormat] as const]),
    ['user.name', author.name],
    ['user.email', author.email],
    ...lfsFilter,
    ...remotes(user),
  ];
}

function isInTree(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.startsWith('~') && !path.split('/').includes('..');
}

/** So that `git remote -v` tells the truth. */
function remotes(user: LocalConfig): readonly Setting[] {
  return user.entries.flatMap(([key, value]): readonly Setting[] => {
    const variable = /^remote\..+\.(url|pushurl|fetch)$/s.exec(key)?.[1];
    if (variable === undefined) return [];
    return [[key, variable === 'fetch' ? value : withoutCredentials(value)]];
  });
}
