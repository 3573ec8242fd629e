/** Git over exec: the host's git at one end of a pipe, git inside the environment at the other. */

import { oneLine } from '../../domain/checkpoint.ts';
import { CoppiceError } from '../../domain/error.ts';
import { type ObjectFormat, type Oid, parseOid } from '../../domain/oid.ts';
import { isRefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';
import type { Fetched, FetchOptions, OpenPipe, Pipe, Transport } from '../transport.ts';
import { converse, type Ended, type Limits } from './conversation.ts';
import { hasWholeHistory } from './history-check.ts';
import { served } from './inside-command.ts';
import { closeQuarantine, openQuarantine, promote, type Quarantine } from './quarantine.ts';

export interface GitOverExecOptions {
  readonly git: HostGit;
  readonly objectFormat: ObjectFormat;
  readonly limits?: Partial<Limits>;
}

export const defaultLimits: Limits = { bytes: 2 * 2 ** 30, total: 15 * 60_000, silence: 60_000 };

export function gitOverExec(options: GitOverExecOptions): Transport {
  const { git, objectFormat } = options;
  const limits = { ...defaultLimits, ...options.limits };
  return {
    fetch: async (open, inside, fetchOptions) => {
      const quarantine = await openQuarantine(git.commonDirectory, objectFormat);
      try {
        await fetchInto(quarantine, git, open, inside, limits, fetchOptions);
        const fetched = await readArrived(quarantine, git);
        await promote(quarantine, git.commonDirectory);
        return fetched;
      } finally {
        await closeQuarantine(quarantine);
      }
    },
    push: async (open, inside, commit, ref) => {
      if (!isRefName(ref))
        throw new CoppiceError('bug', 'bad-ref-name', `${JSON.stringify(ref)} is no reference name.`);
      const args = ['push', ...pushOptions, 'fd::3', `${commit}:${ref}`];
      const command = served(['git', 'receive-pack', inside], limits.total);
      const ended = await connect(
        () => startHost(git, args, { config: [...overPipe, 'push.pushOption='] }),
        () => open(command),
        limits,
      );
      if (ended.status !== 0 || ended.stopped !== undefined) throw failure(ended, 'into', limits);
    },
  };
}

const overPipe = ['protocol.fd.allow=always', 'protocol.version=0'];
const pushOptions = ['--quiet', '--no-verify', '--no-follow-tags', '--recurse-submodules=no', '--no-signed', '--force'];

/** Whatever the user's configuration says: one pack, checked, and nothing beside what was asked for. */
const fetchConfig = [
  ...overPipe,
  'fetch.fsckObjects=true',
  // Old tools wrote such trees, git reads them, and they may be in a history the agent fetched itself.
  'fetch.fsck.zeroPaddedFilemode=ignore',
  'fetch.unpackLimit=1',
  'fetch.writeCommitGraph=false',
];
const fetchOptions = [
  '--quiet',
  '--no-tags',
  '--no-recurse-submodules',
  '--no-write-fetch-head',
  '--refmap=',
  '--no-auto-gc',
  '--update-shallow',
];

/** HEAD as a pattern: an unborn one is not advertised, and asking for it by name would fail. */
const refspecs = ['+HEAD*:refs/in/HEAD*', '+refs/heads/*:refs/in/heads/*'];

async function fetchInto(
  quarantine: Quarantine,
  git: HostGit,
  open: OpenPipe,
  inside: string,
  limits: Limits,
  options: FetchOptions = {},
): Promise<void> {
  const known = options.known ?? [];
  const config = known.length === 0 ? fetchConfig : [...fetchConfig, `core.alternateRefsPrefixes=${known.join(' ')}`];
  const args = ['fetch', ...fetchOptions, 'fd::3', ...refspecs];
  const command = served(['git', 'upload-pack', '--strict', inside], limits.total);
  const host = () => startHost(git, args, { gitDirectory: quarantine.directory, config });
  const ended = await connect(host, () => open(command), limits);
  if (ended.status !== 0 || ended.stopped !== undefined) throw failure(ended, 'out of', limits);
}

function startHost(git: HostGit, args: readonly string[], call: { gitDirectory?: string; config: readonly string[] }) {
  return git.start(args, { ...call, extraPipes: 1 });
}

/** Both ends at once; if one does not start, the other is ended. */
async function connect(
  startHostEnd: () => ReturnType<typeof startHost>,
  openInside: () => Promise<Pipe>,
  limits: Limits,
): Promise<Ended> {
  const pipe = await openInside();
  const host = await startHostEnd().catch(async (error: unknown) => {
    await pipe.kill();
    throw error;
  });
  return converse(host, pipe, limits);
}

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
  return hasWholeHistory(quarantine, git, { head, branches });
}

/** What a check of git's says, one line for each object: `error: object <name>: <id>: …`, ids as in git-fsck(1). */
const objection = /^error: object ([0-9a-f]+): (\w+): /m;

function failure(ended: Ended, direction: 'into' | 'out of', limits: Limits): CoppiceError {
  const data = { status: ended.status, stderr: ended.stderr.slice(-2_000), inside: ended.insideStderr.slice(-2_000) };
  if (ended.stopped === 'too-large') {
    const most = `${Math.round(limits.bytes / 2 ** 20)} MiB`;
    return new CoppiceError('refused', 'transport-too-large', `More than ${most} came out of the environment.`, {
      hint: 'Make the commits inside smaller: large build products do not belong into git.',
      data: { ...data, limit: limits.bytes },
    });
  }
  const [, object, check] = objection.exec(ended.stderr) ?? [];
  if (direction === 'out of' && object !== undefined) {
    return new CoppiceError(
      'refused',
      'hostile-objects',
      `The environment's git directory holds an object that could do harm (${check ?? ''}); nothing was taken from it.`,
      { hint: `Remove the commits with object ${object} inside.`, data: { ...data, object, check } },
    );
  }
  const said = ended.stopped === 'too-long' ? 'it took too long' : lastWords(ended);
  return new CoppiceError(
    'unavailable',
    'transport-failed',
    `Git could not bring commits ${direction} the environment: ${said}.`,
    {
      hint: 'Check that the environment runs and that its image has git.',
      data,
      cause: ended.cut,
    },
  );
}

function lastWords(ended: Ended): string {
  const lines = `${ended.insideStderr}\n${ended.stderr}`.split('\n').filter((line) => line.trim() !== '');
  return oneLine(lines.slice(-2).join('; '), 300) || `status ${ended.status}`;
}
