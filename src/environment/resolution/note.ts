/** The note for whoever resolves a conflict inside, person or agent: CONFLICT.md in the home, outside of the tree. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { oneLine } from '../../domain/checkpoint.ts';
import { type Oid, shortOid } from '../../domain/oid.ts';
import { errnoOf } from '../../platform/errno.ts';
import type { ConflictedFile, Intents, Side } from './intents.ts';

export const noteFile = 'CONFLICT.md';

/** Only where there is none: what stands there may be the agent's, a link even. */
export async function writeNote(home: string, intents: Intents): Promise<void> {
  try {
    await writeFile(join(home, noteFile), noteText(intents), { flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

export function noteText({ ours, theirs, files }: Intents): string {
  return `# ${ours.name} and ${theirs.name} conflict

This worktree is in the middle of a git merge of ${theirs.name} (MERGE_HEAD) into the work of ${ours.name} (HEAD).
\`git status\` lists what is unmerged. Keep what both sides meant; see their commits with \`git show\`.

${sideText(ours)}
${sideText(theirs)}
## Files

${files.map(fileText).join('\n')}

## When it is resolved

Edit the files until no marker is left, \`git add\` or \`git rm\` what was unmerged, and \`git commit\`. Whoever runs coppice
then says \`coppice resolve ${ours.name} --continue\`, which commits by itself where only markers had to go.
`;
}

function sideText({ name, title, commits }: Side): string {
  const lines = commits.map(({ oid, message }) => `- ${shortOid(oid)} ${oneLine(message.split('\n')[0] ?? '', 120)}`);
  return `## What ${name} did${title === null ? '' : `: ${oneLine(title, 120)}`}\n\n${lines.join('\n')}\n`;
}

function fileText({ path, kind, ours, theirs }: ConflictedFile): string {
  const of = (oids: readonly Oid[]) => oids.map(shortOid).join(', ');
  const commits = ours.length + theirs.length === 0 ? '' : `: ${of(ours)} against ${of(theirs)}`;
  return `- ${oneLine(path, 300)} (${kind})${commits}`;
}
