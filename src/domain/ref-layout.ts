/** Where an environment lives in the repository's references. README and DESIGN show the same table. */
import type { EnvironmentName } from './environment-name.ts';
import { isEnvironmentName } from './environment-name.ts';
import type { Oid } from './oid.ts';
import { parseRefName, type RefName, shortName } from './ref-name.ts';

/** Everything coppice keeps apart from the branches themselves. */
export const coppiceRefs = 'refs/coppice/';
export const trashRefs = 'refs/coppice/trash/';
/** Remembered resolutions of conflicts, shared by all environments: a tree laid out as git's rr-cache. */
export const resolutionsRef = parseRefName('refs/coppice/resolutions');
export const defaultBranchPrefix = 'coppice/';

export interface EnvironmentRefs {
  /** The branch: commits, then the tail of checkpoints. */
  readonly branch: RefName;
  /** The commit the environment started from. Never moves. */
  readonly base: RefName;
  /** The last commit, which the tail stands on: what HEAD is inside the container. */
  readonly head: RefName;
  /** A commit chain; its tree holds environment.json and what each exec did. */
  readonly record: RefName;
  /** A commit made on the host that the agent's own repository does not have yet. Absent otherwise. */
  readonly outside: RefName;
  /** The tree `apply` put into a checkout last, as a commit. Absent before the first one. */
  readonly applied: RefName;
  /** What a squash or a rebase took into this branch, so that merging again starts from there: `delivered/<branch>`. */
  delivered(branch: RefName): RefName;
  /** What must stay for the conflict that the environment was made for. Absent in all others. */
  readonly conflict: RefName;
  /** Folded checkpoints and whatever an agent's rewrite left behind: `tails/1`, `tails/2`, … */
  tail(n: number): RefName;
  /** Other branches made inside: `heads/<branch>`. */
  agentHead(branch: string): RefName;
  /** What is stashed inside, counted from the oldest: `stashes/1`, … */
  stash(n: number): RefName;
  /** What is in a submodule: `files`, its checkpoints; `commits/<oid>`, where its HEAD has been. */
  module(slug: string, part: 'files' | `commits/${Oid}`): RefName;
  /** Prefix of all of the above but the branch. */
  readonly prefix: string;
}

export function refsOf(name: EnvironmentName, branchPrefix: string = defaultBranchPrefix): EnvironmentRefs {
  const prefix = `${coppiceRefs}${name}/`;
  const at = (rest: string) => parseRefName(prefix + rest);
  return {
    branch: parseRefName(`refs/heads/${branchPrefix}${name}`),
    base: at('base'),
    head: at('head'),
    record: at('record'),
    outside: at('outside'),
    applied: at('applied'),
    delivered: (branch) => at(`delivered/${shortName(branch)}`),
    conflict: at('conflict'),
    tail: (n) => at(`tails/${n}`),
    agentHead: (branch) => at(`heads/${branch}`),
    stash: (n) => at(`stashes/${n}`),
    module: (slug, part) => at(`modules/${slug}/${part}`),
    prefix,
  };
}

/** `refs/coppice/<name>/record` → name. Only the record tells that an environment exists. */
export function nameOfRecordRef(ref: string): EnvironmentName | undefined {
  const match = /^refs\/coppice\/([^/]+)\/record$/.exec(ref);
  return match?.[1] !== undefined && isEnvironmentName(match[1]) ? match[1] : undefined;
}

/** Trash references sort by time: `refs/coppice/trash/<name>/20261122T131650Z`, with `-2`, … when that is taken. */
export function trashRef(name: EnvironmentName, at: Date, attempt = 1): RefName {
  const stamp = at.toISOString().replace(/[-:]|\.\d+/g, '');
  return parseRefName(`${trashRefs}${name}/${stamp}${attempt > 1 ? `-${attempt}` : ''}`);
}
