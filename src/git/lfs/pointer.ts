/** Git LFS pointers (git-lfs specification, docs/spec.md): what stands in git for a file that is kept elsewhere. */
import { createHash } from 'node:crypto';

export interface LfsPointer {
  /** SHA-256 of the file it stands for. */
  readonly sha256: string;
  readonly size: number;
}

/** Pointers are shorter than this, by the specification. */
export const largestPointer = 1024;
const shape =
  /^version https:\/\/(?:git-lfs|hawser)\.github\.com\/spec\/v1\n(?:ext-\d+-[^\n ]+ sha256:[0-9a-f]{64}\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n$/;

export function parseLfsPointer(content: Buffer): LfsPointer | undefined {
  if (content.length >= largestPointer) return undefined;
  const match = shape.exec(content.toString('latin1'));
  return match?.[1] === undefined ? undefined : { sha256: match[1], size: Number(match[2]) };
}

export function pointerText({ sha256, size }: LfsPointer): Buffer {
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`);
}

export function pointerTo(content: Buffer): LfsPointer {
  return { sha256: createHash('sha256').update(content).digest('hex'), size: content.length };
}

/** Whether `content` is the file that `pointer` stands for. */
export function isPointedAt(content: Buffer, pointer: LfsPointer): boolean {
  return content.length === pointer.size && pointerTo(content).sha256 === pointer.sha256;
}
