/** Puts held files back into a tree in which commands may run already. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytePathFromText } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import { closeDirectory, openTree } from '../platform/tree-reader.ts';
import { moveInto } from '../platform/tree-writer.ts';
import type { Environment } from './environment.ts';

export interface HeldFile {
  readonly path: string;
  readonly content: Buffer;
}

/** Throws `cannot-put-back` (kind `failed`). */
export async function putHeld({ name, directories }: Environment, files: readonly HeldFile[]): Promise<void> {
  if (files.length === 0) return;
  // Outside of the tree, where only we write; then each comes in whole.
  const staging = await mkdtemp(join(directories.root, 'held-'));
  const tree = openTree(directories.tree);
  try {
    const file = join(staging, 'file');
    for (const { path, content } of files) {
      await writeFile(file, content);
      const failure = moveInto(tree, bytePathFromText(path), Buffer.from(file));
      if (failure !== undefined) throw cannotPut(name, path, failure);
    }
  } finally {
    closeDirectory(tree);
    await rm(staging, { recursive: true, force: true });
  }
}

function cannotPut(name: string, path: string, failure: string): CoppiceError {
  return new CoppiceError('failed', 'cannot-put-back', `${path} cannot be put back into ${name}: ${failure}.`, {
    hint: 'Nothing was lost: what was removed is still in the trash. Try again.',
    data: { name, path, failure },
  });
}
