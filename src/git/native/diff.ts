/** Differences between two trees or commits: the same answer whatever the user's configuration or an agent's attributes say. */
import { join } from 'node:path';
import { bytePathFromBuffer } from '../../domain/byte-path.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { GitCall, HostGit } from '../host-git.ts';
import type { DiffRequest, FileDiff } from '../repository.ts';
import { type Fields, fieldsOf } from './split-nul.ts';

/** git's defaults, said aloud; renames are looked for among at most 1,000 files, as git 2.39 does. */
const plain = ['diff-tree', '-r', '-M', '-l1000', '--no-ext-diff', '--no-textconv', '--ignore-submodules=none'];

const formats: Readonly<Record<DiffRequest['format'], readonly string[]>> = {
  patch: ['-p', '--submodule=short', '--src-prefix=a/', '--dst-prefix=b/'],
  stat: ['--stat'],
  'name-status': ['--name-status'],
};

/** Bytes of one answer: no person reads more, and a string in Node ends at twice that. */
const mostOutput = 2 ** 28;

export async function diff(git: HostGit, request: DiffRequest): Promise<Buffer> {
  const colour = `--color=${request.colour ? 'always' : 'never'}`;
  const paths = request.paths === undefined ? [] : ['--', ...request.paths];
  const args = [...plain, ...formats[request.format], colour, request.before, request.after, ...paths];
  try {
    return (await git.run(args, { ...callOf(git), maxOutput: mostOutput })).stdout;
  } catch (error) {
    if (!hasCode(error, 'too-much-output')) throw error;
    const size = `${mostOutput / 2 ** 20} MiB`;
    throw new CoppiceError('failed', 'diff-too-large', `The changes are more than ${size} of text.`, {
      hint: '`coppice diff --stat` lists the files; `git diff` with a path shows one of them.',
      cause: error,
    });
  }
}

export async function diffStat(git: HostGit, before: Oid, after: Oid): Promise<readonly FileDiff[]> {
  const { stdout } = await git.run([...plain, '--raw', '--numstat', '-z', before, after], callOf(git));
  const fields = fieldsOf(stdout);
  const files: Omit<FileDiff, 'added' | 'removed'>[] = [];
  let field = fields.next();
  for (; field[0] === 0x3a; field = fields.next()) files.push(rawRecord(field.toString('latin1'), fields));
  return files.map((file) => {
    const counts = countsOf(field, fields);
    field = fields.next();
    return { ...file, ...counts };
  });
}

/** The index of the user's checkout would be read for attributes: an index that does not exist is not. */
function callOf(git: HostGit): GitCall {
  const env = { GIT_INDEX_FILE: join(git.commonDirectory, 'coppice', 'no-index'), GIT_LITERAL_PATHSPECS: '1' };
  return { env, config: ['diff.suppressBlankEmpty=false'] };
}

const kinds: Readonly<Record<string, FileDiff['kind']>> = {
  A: 'added',
  M: 'modified',
  D: 'deleted',
  R: 'renamed',
  T: 'type-changed',
};

/** `:<mode> <mode> <oid> <oid> <status>` and one path, or two for a rename. */
function rawRecord(record: string, fields: Fields): Omit<FileDiff, 'added' | 'removed'> {
  const status = record.split(' ').at(-1)?.charAt(0) ?? '';
  const kind = kinds[status];
  if (kind === undefined) throw new CoppiceError('bug', 'diff-status', `git diff-tree says ${record}.`);
  const first = bytePathFromBuffer(fields.next());
  if (kind !== 'renamed') return { path: first, from: undefined, kind };
  return { path: bytePathFromBuffer(fields.next()), from: first, kind };
}

/** `<added> TAB <removed> TAB <path>`, or with an empty path and two more fields for a rename; `-` for binary files. */
function countsOf(field: Buffer, fields: Fields): Pick<FileDiff, 'added' | 'removed'> {
  const [added = '', removed = '', path = ''] = field.toString('latin1').split('\t');
  if (path === '') {
    fields.next();
    fields.next();
  }
  const count = (digits: string) => (digits === '-' ? null : Number.parseInt(digits, 10));
  return { added: count(added), removed: count(removed) };
}
