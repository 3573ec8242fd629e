/** Looks for secrets in what a commit says beside its files: its message, and who made it. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { SecretScanner, Suspicion } from '../checkpoint/secrets/scanner.ts';

/** In a file, or with no path in the commit itself. */
export interface FoundInCommit extends Suspicion {
  readonly path: BytePath | undefined;
}

/** As the user's settings may allow it: git's own name for the file that a message is written in. */
const messageFile = 'COMMIT_EDITMSG' as BytePath;

/** `content`: the commit object. */
export async function examineCommit(scanner: SecretScanner, content: Buffer): Promise<readonly FoundInCommit[]> {
  const end = content.indexOf('\n\n');
  const header = withoutSignature(content.toString('latin1', 0, end < 0 ? content.length : end));
  const message = end < 0 ? Buffer.alloc(0) : content.subarray(end + 2);
  const found: FoundInCommit[] = [];
  for (const [what, text] of [
    ['its message', message],
    ['its header', Buffer.from(header, 'latin1')],
  ] as const) {
    const suspicion = await scanner.examine(messageFile, text, async () => undefined);
    if (suspicion !== undefined) found.push({ ...suspicion, path: undefined, detail: `${what} ${suspicion.detail}` });
  }
  return found;
}

/** Author, committer and whatever else; a signature is long, random and no secret. Lines that go on begin with a space. */
function withoutSignature(header: string): string {
  return header.replace(/^(?:gpgsig|gpgsig-sha256|tree|parent) .*(?:\n .*)*\n?/gm, '');
}
