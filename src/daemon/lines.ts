/** Splits a stream into lines of bounded length. */
import { CoppiceError } from '../domain/error.ts';

/** Throws `line-too-long` (kind `usage`). A last line without its end is dropped: it is not whole. */
export async function* linesOf(stream: AsyncIterable<Buffer>, longest: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      if (length + end - start > longest) throw tooLong(longest);
      yield Buffer.concat(parts).toString('utf8');
      parts = [];
      length = 0;
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > longest) throw tooLong(longest);
  }
}

function tooLong(longest: number): CoppiceError {
  return new CoppiceError('usage', 'line-too-long', `A message is longer than ${longest} bytes.`);
}
