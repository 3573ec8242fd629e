/** Says what of a worktree is not there, because this repository does not have it. */
import type { Timings } from './materialize.ts';
import type { Report } from './workplace.ts';

export function tellLeftOut({ pointers, emptySubmodules }: Timings, report: Report): void {
  if (pointers > 0) report(`${pointersLeft(pointers)}.`);
  if (emptySubmodules > 0) report(submodulesLeft(emptySubmodules));
}

export function pointersLeft(pointers: number): string {
  const files = pointers === 1 ? '1 file of Git LFS is a pointer' : `${pointers} files of Git LFS are pointers`;
  return `${files}: the content is not in this repository (\`git lfs fetch --all\` brings it for the next time), or over 1 GiB`;
}

function submodulesLeft(count: number): string {
  const what = count === 1 ? '1 submodule is an empty directory' : `${count} submodules are empty directories`;
  return `${what}: it is not in this repository (\`git submodule update --init\` in your checkout brings it for the next environment).`;
}
