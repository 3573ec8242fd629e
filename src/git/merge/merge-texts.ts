/** Merges three versions of one text, as git merges a file. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostGit } from '../host-git.ts';

/** In `scratch`, from which git reads files that only we wrote. */
export async function mergeTexts(
  git: HostGit,
  scratch: string,
  base: Uint8Array,
  ours: Uint8Array,
  theirs: Uint8Array,
): Promise<Buffer | undefined> {
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(scratch, 'texts-'));
  try {
    await Promise.all(
      Object.entries({ base, ours, theirs }).map(([name, content]) => writeFile(join(directory, name), content)),
    );
    // The status is the number of conflicts, at most 127; 255 for what is no text.
    const args = ['merge-file', '-p', '-q', 'ours', 'base', 'theirs'];
    const allow = Array.from({ length: 256 }, (_, status) => status);
    const { status, stdout } = await git.run(args, { cwd: directory, allow });
    return status === 0 ? stdout : undefined;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
