/** Git over exec: the host's git at one end of a pipe, git inside the environment at the other. */
import { CoppiceError, hasCode } from '../../domain/error.ts';
import type { ObjectFormat } from '../../domain/oid.ts';
import { isRefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';
import type { Fetched, OpenPipe, Transport } from '../transport.ts';
import { connect } from './connect.ts';
import type { Limits } from './conversation.ts';
import { failure } from './failure.ts';
import { byName, type FetchRequest, fetchOnce, headAndBranches, headOnly } from './fetch.ts';

export interface GitOverExecOptions {
  readonly git: HostGit;
  readonly objectFormat: ObjectFormat;
  readonly limits?: Partial<Limits>;
}

export const defaultLimits: Limits = {
  bytes: 2 * 2 ** 30,
  objectBytes: 2 ** 29,
  total: 15 * 60_000,
  silence: 60_000,
};

export function gitOverExec(options: GitOverExecOptions): Transport {
  const { git, objectFormat } = options;
  const limits = { ...defaultLimits, ...options.limits };
  return {
    fetch: (open, inside, { known = [] } = {}) => {
      const command = ['git', 'upload-pack', '--strict', inside];
      return fetchAll({ git, objectFormat, limits, known, inside: { open, command }, refspecs: headAndBranches });
    },
    fetchCommits: async (open, inside, commits, { known = [] } = {}) => {
      const command = ['git', '-c', 'uploadpack.allowAnySHA1InWant=true', 'upload-pack', '--strict', inside];
      const refspecs = commits.map(byName);
      const { branches } = await fetchOnce({ git, objectFormat, limits, known, inside: { open, command }, refspecs });
      return new Set(branches.values());
    },
    push: (open, inside, commit, ref) => pushAll({ git, limits }, open, inside, [{ ref, oid: commit }]),
    pushAll: (open, inside, refs) => pushAll({ git, limits }, open, inside, refs),
  };
}

async function pushAll(
  { git, limits }: { readonly git: HostGit; readonly limits: Limits },
  open: OpenPipe,
  inside: string,
  refs: Parameters<Transport['pushAll']>[2],
): Promise<void> {
  if (refs.length === 0) return;
  for (const { ref } of refs) {
    if (!isRefName(ref)) throw new CoppiceError('bug', 'bad-ref-name', `${JSON.stringify(ref)} is no reference name.`);
  }
  const refspecs = refs.map(({ ref, oid }) => `${oid}:${ref}`);
  const host = { args: ['push', ...pushOptions, 'fd::3', ...refspecs], config: ['push.pushOption='] };
  const ended = await connect(git, host, { open, command: ['git', 'receive-pack', inside] }, limits);
  if (ended.status !== 0 || ended.stopped !== undefined) throw failure(ended, 'into', limits);
}

/** Nothing the user's configuration adds to an ordinary push. */
const pushOptions = ['--quiet', '--no-verify', '--no-follow-tags', '--recurse-submodules=no', '--no-signed', '--force'];

/** One broken or refused branch makes git refuse all: then HEAD alone, whose commits are what must arrive. */
async function fetchAll(request: FetchRequest): Promise<Fetched> {
  try {
    return await fetchOnce(request);
  } catch (error) {
    if (!(hasCode(error, 'hostile-objects') || hasCode(error, 'transport-failed')) || error.data.stopped) throw error;
    const fetched = await fetchOnce({ ...request, refspecs: headOnly }).catch(() => undefined);
    if (fetched?.head === undefined) throw error;
    return { ...fetched, leftOut: error };
  }
}
