/** Objects by name, many in one process: `git cat-file --batch -z`. */
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';

export interface GitObject {
  readonly oid: Oid;
  readonly type: 'blob' | 'tree' | 'commit' | 'tag';
  readonly content: Buffer;
}

/** In the order of `names`; undefined for what does not exist or is ambiguous. A name is anything git resolves, without NUL. */
export async function readObjects(
  git: HostGit,
  names: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly (GitObject | undefined)[]> {
  if (names.length === 0) return [];
  const input = names.map((name) => `${name}\0`).join('');
  const { stdout } = await git.run(['cat-file', '--batch', '-z'], { input, env });
  return parseBatch(stdout, names);
}

/** `<oid> SP <type> SP <size> LF <content> LF`, or the name itself and ` missing` or ` ambiguous`. */
function parseBatch(output: Buffer, names: readonly string[]): readonly (GitObject | undefined)[] {
  let at = 0;
  return names.map((name) => {
    const absent = [`${name} missing\n`, `${name} ambiguous\n`].find((line) => startsAt(output, at, line));
    if (absent !== undefined) {
      at += Buffer.byteLength(absent);
      return undefined;
    }
    const end = output.indexOf('\n', at);
    const [oid = '', type, size = ''] = output.toString('latin1', at, end).split(' ');
    const start = end + 1;
    const stop = start + Number.parseInt(size, 10);
    at = stop + 1;
    return { oid: parseOid(oid), type: type as GitObject['type'], content: output.subarray(start, stop) };
  });
}

function startsAt(output: Buffer, at: number, line: string): boolean {
  const bytes = Buffer.from(line);
  return output.subarray(at, at + bytes.length).equals(bytes);
}
