/** Who wrote which line: `git blame` of a commit, on objects alone, whatever the user's configuration says. */
import { join } from 'node:path';
import { type BytePath, bytePathFromBuffer } from '../../domain/byte-path.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { BlamedLine, BlameRequest } from '../repository.ts';

/** The index of the user's checkout would be read for attributes: one that does not exist is not. */
const noIndex = (git: HostGit) => ({ GIT_INDEX_FILE: join(git.commonDirectory, 'coppice', 'no-index') });

export async function blame(git: HostGit, { commit, path, ranges = [] }: BlameRequest): Promise<readonly BlamedLine[]> {
  const lines = ranges.flatMap(({ from, to }) => ['-L', `${from},${to}`]);
  const args = ['blame', '--porcelain', '--no-textconv', '--no-ext-diff', ...lines, commit, '--', path];
  const { stdout } = await git.run(args, { env: noIndex(git), config: ['blame.ignoreRevsFile='] });
  return parsePorcelain(stdout);
}

/**
 * Per line `<oid> SP <line there> SP <line here>[ SP <lines in the group>]`, headers of which `filename` matters (it stands
 * with a commit's first line, and again where it changes), and TAB with the line itself.
 */
export function parsePorcelain(output: Buffer): readonly BlamedLine[] {
  const found: BlamedLine[] = [];
  const paths = new Map<Oid, BytePath>();
  let commit: Oid | undefined;
  let numbers: readonly [number, number] = [0, 0];
  for (const row of rowsOf(output)) {
    if (commit === undefined) {
      const [oid = '', there = '', here = ''] = row.toString('latin1').split(' ');
      commit = parseOid(oid);
      numbers = [Number(there), Number(here)];
    } else if (row[0] === 0x09) {
      const [there, line] = numbers;
      const path = paths.get(commit) ?? bytePathFromBuffer(Buffer.alloc(0));
      found.push({ line, text: row.toString('utf8', 1), commit, original: { path, line: there } });
      commit = undefined;
    } else if (row.toString('latin1', 0, 9) === 'filename ') paths.set(commit, pathOf(row.subarray(9)));
  }
  return found;
}

function* rowsOf(output: Buffer): Generator<Buffer> {
  for (let at = 0; at < output.length; ) {
    const found = output.indexOf(0x0a, at);
    const end = found < 0 ? output.length : found;
    yield output.subarray(at, end);
    at = end + 1;
  }
}

const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r' };

/** Names with special characters stand in quotes, as in C. */
function pathOf(name: Buffer): BytePath {
  const text = name.toString('latin1');
  if (!text.startsWith('"')) return bytePathFromBuffer(name);
  const plain = text
    .slice(1, -1)
    .replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
      code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (escapes[code] ?? code),
    );
  return bytePathFromBuffer(Buffer.from(plain, 'latin1'));
}
