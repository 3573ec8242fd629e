/** Approvals of one repository: `$XDG_STATE_HOME/coppice/approvals/<repository id>.json`, for the user alone to read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { ifPresent } from '../platform/errno.ts';
import { withLock } from '../platform/lock.ts';
import { replaceFile } from '../platform/replace-file.ts';

const approvalSchema = z.object({
  subject: z.union([z.literal('repository'), z.templateLiteral(['environment ', z.string()])]),
  lines: z.array(z.string()),
  approvedAt: z.string(),
});
type Approval = z.infer<typeof approvalSchema>;

const fileSchema = z.object({
  version: z.literal(1),
  /** The common git directory: an approval is for the repository at this path. */
  repository: z.string(),
  approvals: z.array(approvalSchema),
});

/** More than anybody has; a file that grows for ever helps nobody. */
const most = 1000;

export function openApprovals(
  stateDirectory: string,
  repository: { readonly id: string; readonly commonDirectory: string },
) {
  const file = join(stateDirectory, 'approvals', `${repository.id}.json`);
  const read = async (): Promise<readonly Approval[]> => {
    const text = await ifPresent(readFile(file, 'utf8'));
    if (text === undefined) return [];
    const kept = parse(text, file);
    return kept.repository === repository.commonDirectory ? kept.approvals : [];
  };
  const change = (edit: (approvals: readonly Approval[]) => readonly Approval[]) =>
    withLock(`approvals:${file}`, async () => {
      const approvals = edit(await read()).slice(-most);
      await replaceFile(
        file,
        `${JSON.stringify({ version: 1, repository: repository.commonDirectory, approvals }, null, 1)}\n`,
      );
    });
  return {
    list: read,
    add: (subject: Approval['subject'], lines: readonly string[]) =>
      change((approvals) => [
        ...approvals.filter((each) => !(each.subject === subject && sameLines(each.lines, lines))),
        { subject, lines: [...lines], approvedAt: new Date().toISOString() },
      ]),
    async withdraw(which: (approval: Approval) => boolean) {
      let gone: readonly Approval[] = [];
      await change((approvals) => {
        gone = approvals.filter(which);
        return approvals.filter((each) => !which(each));
      });
      return gone;
    },
  };
}

function sameLines(one: readonly string[], other: readonly string[]): boolean {
  return one.join('\n') === other.join('\n');
}

/** Never taken for empty: somebody would be asked again for what they have refused. */
function parse(text: string, file: string): z.infer<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new CoppiceError('refused', 'approvals-broken', `${file} cannot be read as a list of approvals.`, {
      hint: 'Delete it: what is needed will be asked for again.',
      data: { file },
      cause: error,
    });
  }
}
