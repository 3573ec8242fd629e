/** Reads the bytes of a commit object. Pure. */
import { type Oid, parseOid } from '../../domain/oid.ts';
import type { CommitInfo } from '../repository.ts';

export function parseCommit(oid: Oid, content: Buffer): CommitInfo {
  const end = content.indexOf('\n\n');
  const head = end < 0 ? content : content.subarray(0, end);
  const headers = headersOf(head);
  const first = (name: string) => headers.find(([key]) => key === name)?.[1];
  const decode = decoderOf(first('encoding')?.toString('latin1'));
  return {
    oid,
    tree: parseOid(first('tree')?.toString('latin1') ?? ''),
    parents: headers.filter(([key]) => key === 'parent').map(([, value]) => parseOid(value.toString('latin1'))),
    author: parseSignature(decode(first('author') ?? Buffer.alloc(0))),
    committer: parseSignature(decode(first('committer') ?? Buffer.alloc(0))),
    message: end < 0 ? '' : decode(content.subarray(end + 2)),
  };
}

/** Continuation lines (of signatures) begin with a space and belong to no header read here. */
function headersOf(head: Buffer): readonly (readonly [string, Buffer])[] {
  const headers: (readonly [string, Buffer])[] = [];
  for (let at = 0; at < head.length; ) {
    const end = head.indexOf('\n', at);
    const line = head.subarray(at, end < 0 ? head.length : end);
    const space = line.indexOf(' ');
    if (space > 0) headers.push([line.toString('latin1', 0, space), line.subarray(space + 1)]);
    at += line.length + 1;
  }
  return headers;
}

/** `Name <email> seconds zone`; a line broken by its writer yields what can be read of it. */
function parseSignature(line: string): CommitInfo['author'] {
  const [, name = '', email = '', seconds = '0', zone = '+0000'] =
    /^(.*?) ?<([^>]*)>(?: (-?\d+))?(?: ([+-]\d+))?/.exec(line) ?? [];
  return { name, email, seconds: Number.parseInt(seconds, 10), zone };
}

function decoderOf(encoding: string | undefined): (bytes: Buffer) => string {
  if (encoding === undefined || /^utf-?8$/i.test(encoding)) return (bytes) => bytes.toString('utf8');
  try {
    const decoder = new TextDecoder(encoding);
    return (bytes) => decoder.decode(bytes);
  } catch (error) {
    // A label only its writer knew: show the bytes rather than nothing.
    if (error instanceof RangeError) return (bytes) => bytes.toString('latin1');
    throw error;
  }
}
