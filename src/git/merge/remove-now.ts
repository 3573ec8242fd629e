/** Removes a directory in memory, where thousands of files are gone in milliseconds; asked for one by one they take a hundred. */
import { readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Holds up this process until it is done: never for a directory on a disk. */
export function removeNow(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) removeNow(path);
    else unlinkSync(path);
  }
  rmdirSync(directory);
}
