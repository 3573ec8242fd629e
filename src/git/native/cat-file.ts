/** Objects by name, many in one process: `git cat-file --batch -z`. */
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';

export interface GitObject {
  readonly oid: Oid;
  readonly type: 'blob' | 'tree' | 'commit' | 'tag';
  readonly content: Buffer;
}

/**
 * In the order of `names`; undefined for what does not exist or is ambiguous. A name is anything git resolves, without NUL.
 * `latin1`: the names have one character per byte, as byte paths do.
 */
export async function readObjects(
  git: HostGit,
  names: readonly string[],
  env: Readonly<Record<string, string>> = {},
  encoding: 'utf8' | 'latin1' = 'utf8',
): Promise<readonly (GitObject | undefined)[]> {
  if (names.length === 0) return [];
  const asked = names.map((name) => Buffer.from(name, encoding));
  const input = Buffer.concat(asked.flatMap((name) => [name, Buffer.of(0)]));
  const { stdout } = await git.run(['cat-file', '--batch', '-z'], { input, env });
  return parseBatch(stdout, asked);
}

/** `<oid> SP <type> SP <size> LF <content> LF`, or the name itself and ` missing` or ` ambiguous`. */
function parseBatch(output: Buffer, names: readonly Buffer[]): readonly (GitObject | undefined)[] {
  let at = 0;
  return names.map((name) => {
    const absent = absences.map((word) => Buffer.concat([name, word])).find((line) => startsAt(output, at, line));
    if (absent !== undefined) {
      at += absent.length;
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

const absences = [Buffer.from(' missing\n'), Buffer.from(' ambiguous\n')];

function startsAt(output: Buffer, at: number, line: Buffer): boolean {
  return output.subarray(at, at + line.length).equals(line);
}
