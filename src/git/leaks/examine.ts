/** Looks for secrets in what a set of changes brings in, as objects. What was only moved or copied is nothing new. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import type { SecretScanner, Suspicion } from '../checkpoint/secrets/scanner.ts';
import type { ChangedFile } from './commit-changes.ts';

export interface Blobs {
  /** undefined for what is no blob here. */
  sizeOf(oid: Oid): number | undefined;
  read(oid: Oid): Promise<Buffer | undefined>;
  /** Whether the tree or commit that the changes are against has this very content anywhere. */
  recordedBefore(oid: Oid): Promise<boolean>;
}

export interface Found extends Suspicion {
  readonly path: BytePath;
}

/** Bytes. Larger files are data that nobody writes a key into by mistake; a checkpoint holds them by their size. */
const largest = 10 * 2 ** 20;
/** Removed files that a suspicious one is held against: it may be one of them under another name. */
const mostRemoved = 100;

/** Each once. */
export function newBlobs(files: readonly ChangedFile[]): readonly Oid[] {
  return [...new Set(files.flatMap(({ after }) => (after === undefined ? [] : [after])))];
}

export async function examineChanges(
  scanner: SecretScanner,
  blobs: Blobs,
  files: readonly ChangedFile[],
): Promise<readonly Found[]> {
  const removed = files.flatMap(({ before, after }) => (after === undefined ? before : [])).slice(0, mostRemoved);
  const found: Found[] = [];
  for (const { path, before, after } of files) {
    if (after === undefined || removed.includes(after)) continue;
    if ((blobs.sizeOf(after) ?? Number.POSITIVE_INFINITY) > largest) continue;
    const suspicion = await examineFile(scanner, blobs, { path, after, earlier: [...before, ...removed] });
    if (suspicion !== undefined) found.push({ path, ...suspicion });
  }
  return found;
}

async function examineFile(
  scanner: SecretScanner,
  blobs: Blobs,
  file: { readonly path: BytePath; readonly after: Oid; readonly earlier: readonly Oid[] },
): Promise<Suspicion | undefined> {
  const content = await blobs.read(file.after);
  if (content === undefined) return undefined;
  let suspicion = await scanner.examine(file.path, content, async () => undefined);
  if (suspicion === undefined) return undefined;
  for (const oid of file.earlier) {
    suspicion = await scanner.examine(file.path, content, () => blobs.read(oid));
    if (suspicion === undefined) return undefined;
  }
  return (await blobs.recordedBefore(file.after)) ? undefined : suspicion;
}
