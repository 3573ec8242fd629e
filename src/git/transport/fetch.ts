/** One fetch out of an environment: into a quarantine, checked, promoted. */
import { type ObjectFormat, type Oid, parseOid } from '../../domain/oid.ts';
import { isRefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';
import type { Fetched } from '../transport.ts';
import { connect, type InsideEnd } from './connect.ts';
import type { Limits } from './conversation.ts';
import { failure } from './failure.ts';
import { withoutHoles } from './history-check.ts';
import { closeQuarantine, openQuarantine, promote, type Quarantine } from './quarantine.ts';

/** HEAD as a pattern: an unborn one is not advertised, and asking for it by name would fail. */
export const headOnly = ['+HEAD*:refs/in/HEAD*'];
export const headAndBranches = [...headOnly, '+refs/heads/*:refs/in/heads/*'];
/** A commit without a reference, as a branch of its own name. */
export const byName = (commit: Oid) => `+${commit}:refs/in/heads/${commit}`;

export interface FetchRequest {
  readonly git: HostGit;
  readonly objectFormat: ObjectFormat;
  readonly limits: Limits;
  readonly inside: InsideEnd;
  readonly refspecs: readonly string[];
  /** See `FetchOptions`. */
  readonly known: readonly string[];
}

export async function fetchOnce(request: FetchRequest): Promise<Fetched> {
  const { git, objectFormat } = request;
  const quarantine = await openQuarantine(git.commonDirectory, objectFormat);
  try {
    await receive(quarantine, request);
    const fetched = await withoutHoles(quarantine, git, await readArrived(quarantine, git));
    await promote(quarantine, git.commonDirectory);
    return fetched;
  } finally {
    await closeQuarantine(quarantine);
  }
}

async function receive(quarantine: Quarantine, request: FetchRequest): Promise<void> {
  const { git, inside, limits, known, refspecs } = request;
  const prefixes = known.length === 0 ? [] : [`core.alternateRefsPrefixes=${known.join(' ')}`];
  const host = {
    args: ['fetch', ...options, 'fd::3', ...refspecs],
    gitDirectory: quarantine.directory,
    config: [...settings, ...prefixes],
    // What is larger cannot be allocated, and with this threshold nothing is let through without being held in memory.
    env: { GIT_ALLOC_LIMIT: String(limits.objectBytes) },
  };
  const ended = await connect(git, host, inside, limits);
  if (ended.status !== 0 || ended.stopped !== undefined) throw failure(ended, 'out of', limits);
}

/** One pack, checked, and nothing beside what was asked for. */
const settings = [
  'fetch.fsckObjects=true',
  // Old tools wrote such trees, git reads them, and they may be in a history the agent fetched itself.
  'fetch.fsck.zeroPaddedFilemode=ignore',
  'fetch.unpackLimit=1',
  'fetch.writeCommitGraph=false',
  'core.bigFileThreshold=1024g',
  // Of the quarantine's own references nothing is to last; of the packs it is.
  'core.fsync=-reference',
];
const options = [
  '--quiet',
  '--no-tags',
  '--no-recurse-submodules',
  '--no-write-fetch-head',
  '--refmap=',
  '--no-auto-gc',
  // Into the quarantine only: see history-check.ts.
  '--update-shallow',
];

async function readArrived(quarantine: Quarantine, git: HostGit): Promise<Fetched> {
  const format = '--format=%(objectname) %(refname)';
  const listing = await git.text(['for-each-ref', format, 'refs/in/'], { gitDirectory: quarantine.directory });
  const branches = new Map<string, Oid>();
  let head: Oid | undefined;
  for (const line of listing.split('\n').filter((text) => text !== '')) {
    const oid = parseOid(line.slice(0, line.indexOf(' ')));
    const ref = line.slice(line.indexOf(' ') + 1);
    if (ref === 'refs/in/HEAD') head = oid;
    const branch = /^refs\/in\/heads\/(.+)$/.exec(ref)?.[1];
    if (branch !== undefined && isRefName(`refs/heads/${branch}`)) branches.set(branch, oid);
  }
  return { head, branches };
}
