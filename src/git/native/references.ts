/** Reads references: one process for any number of them. */
import { type Oid, parseOid } from '../../domain/oid.ts';
import { isRefName, parseRefName, type RefName } from '../../domain/ref-name.ts';
import type { ObjectReader } from '../checkpoint/object-reader.ts';
import type { HostGit } from '../host-git.ts';
import type { Head, Ref } from '../repository.ts';

/** No reference name holds a line feed (git-check-ref-format), so lines are safe here. Names git would not accept are left out. */
export async function listRefs(git: HostGit, prefixes: readonly string[]): Promise<readonly Ref[]> {
  const patterns = prefixes.map((prefix) => prefix.replace(/\/$/, ''));
  const text = await git.text(['for-each-ref', '--format=%(objectname) %(refname)', '--', ...patterns]);
  return text === '' ? [] : text.split('\n').flatMap(parseLine);
}

function parseLine(line: string): readonly Ref[] {
  const space = line.indexOf(' ');
  const name = line.slice(space + 1);
  return isRefName(name) ? [{ oid: parseOid(line.slice(0, space)), name }] : [];
}

export async function readRef(git: HostGit, name: RefName): Promise<Oid | undefined> {
  return (await listRefs(git, [name])).find((ref) => ref.name === name)?.oid;
}

/** Through a process that stays. */
export async function readRefs(reader: ObjectReader, names: readonly RefName[]): Promise<ReadonlyMap<RefName, Oid>> {
  const found = await Promise.all(names.map(async (name) => [name, (await reader.read(name))?.oid] as const));
  return new Map(found.flatMap(([name, oid]) => (oid === undefined ? [] : [[name, oid] as const])));
}

/** HEAD of `gitDirectory`, which may be a worktree's. */
export async function readHead(git: HostGit, gitDirectory: string): Promise<Head> {
  const symbolic = await git.run(['symbolic-ref', '-q', 'HEAD'], { gitDirectory, allow: [0, 1] });
  if (symbolic.status === 1) {
    return {
      kind: 'detached',
      oid: parseOid(await git.text(['rev-parse', '--verify', '-q', 'HEAD'], { gitDirectory })),
    };
  }
  const ref = parseRefName(symbolic.stdout.toString('utf8').trim());
  const oid = await readRef(git, ref);
  return oid === undefined ? { kind: 'unborn', ref } : { kind: 'branch', ref, oid };
}

/** Resolved where the caller stands, so that HEAD and `@{-1}` are theirs. */
export async function resolveCommit(git: HostGit, gitDirectory: string, revision: string): Promise<Oid | undefined> {
  if (revision === '' || revision.includes('\0')) return undefined;
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`];
  const { status, stdout } = await git.run(args, { gitDirectory, allow: [0, 1, 128] });
  return status === 0 ? parseOid(stdout.toString('latin1').trim()) : undefined;
}
