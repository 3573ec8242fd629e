/**
 * Lends content of Git LFS to an agent's own git directory, where the filter inside looks for it: so a merge that git makes
 * there writes files, and not pointers. Nothing of the agent's is followed or run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BytePath, bytePathFromText } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import { closeDirectory, openTree } from '../../platform/tree-reader.ts';
import { moveInto, removeFrom } from '../../platform/tree-writer.ts';
import type { HostGit } from '../host-git.ts';
import { sizesOf } from '../leaks/blobs.ts';
import { readObjects } from '../native/cat-file.ts';
import type { LfsOffer } from '../worktree.ts';
import { type LfsPointer, largestPointer, parseLfsPointer } from './pointer.ts';
import type { LfsStore } from './store.ts';

export interface OfferRequest {
  readonly git: HostGit;
  readonly store: LfsStore;
  /** The environment's directory, where only we write. */
  readonly root: string;
  /** The agent's git directory in there. */
  readonly gitDirectory: string;
  /** Of files that are about to be written; pointers are picked out. */
  readonly blobs: readonly Oid[];
  /** Bytes in all; where there is more, all stay pointers. */
  readonly most: number;
}

export async function offerContent(request: OfferRequest): Promise<LfsOffer> {
  const pointers = await pointersAmong(request);
  const total = pointers.reduce((sum, { size }) => sum + size, 0);
  const placed = total > request.most ? [] : await place(request, pointers);
  return {
    absent: pointers.filter((pointer) => !placed.includes(pointer)).map(({ oid }) => oid),
    async withdraw() {
      if (placed.length === 0) return;
      inDirectory(request.gitDirectory, (directory) => {
        for (const pointer of placed) removeFrom(directory, pathOf(pointer));
      });
    },
  };
}

interface Named extends LfsPointer {
  readonly oid: Oid;
}

async function pointersAmong({ git, blobs }: OfferRequest): Promise<readonly Named[]> {
  const sizes = await sizesOf(git, [...new Set(blobs)]);
  const small = [...sizes].filter(([, size]) => size < largestPointer).map(([oid]) => oid);
  return (await readObjects(git, small)).flatMap((object) => {
    const pointer = object === undefined ? undefined : parseLfsPointer(object.content);
    return object === undefined || pointer === undefined ? [] : [{ ...pointer, oid: object.oid }];
  });
}

/** Each copied beside it first, and moved in whole. */
async function place(
  { store, root, gitDirectory }: OfferRequest,
  pointers: readonly Named[],
): Promise<readonly Named[]> {
  if (pointers.length === 0) return [];
  const staging = await mkdtemp(join(root, 'lfs-'));
  try {
    const placed: Named[] = [];
    for (const pointer of pointers) {
      const draft = Buffer.from(join(staging, pointer.sha256));
      if (!(await store.copyTo(pointer, draft, 0o644))) continue;
      const path = pathOf(pointer);
      const failure = inDirectory(gitDirectory, (directory) => moveInto(directory, path, draft));
      if (failure === undefined) placed.push(pointer);
    }
    return placed;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function inDirectory<Result>(path: string, body: (directory: number) => Result): Result {
  const directory = openTree(path);
  try {
    return body(directory);
  } finally {
    closeDirectory(directory);
  }
}

/** As git-lfs has it (docs/spec.md), below the git directory. */
function pathOf({ sha256 }: LfsPointer): BytePath {
  return bytePathFromText(`lfs/objects/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}`);
}
