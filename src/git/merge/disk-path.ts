/** Where a path of a tree is on disk, byte for byte. */
import { type BytePath, bytesOf } from '../../domain/byte-path.ts';

export function onDisk(root: string, path: BytePath): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]);
}

/** Directories that contain the path, the nearest first. */
export function parentsOf(path: BytePath): readonly BytePath[] {
  const parents: BytePath[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    parents.push(path.slice(0, end) as BytePath);
  }
  return parents;
}
