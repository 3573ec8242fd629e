/**
 * Finds secrets in a file without knowing them. Of each form of a secret only its length, a 32-bit rolling hash (Karp and
 * Rabin) and a keyed digest are kept; a window of the file whose hash fits is digested and compared. The digest is
 * HMAC-SHA256, so nothing can be read back; but who has key and digest can try guesses, as with every stored hash.
 */
import { createHmac } from 'node:crypto';
import * as z from 'zod/mini';
import { formsOf } from './secret-forms.ts';

export const fingerprintSchema = z.object({
  /** Bytes. */
  length: z.number(),
  hash: z.number(),
  /** The first 16 bytes, in hexadecimal digits. */
  digest: z.string(),
  /** Of the value itself or a line of it, not of an encoding. */
  plain: z.boolean(),
});
export type Fingerprint = z.infer<typeof fingerprintSchema>;

export const fingerprintsSchema = z.object({
  version: z.literal(1),
  /** Random, in hexadecimal digits. */
  key: z.string(),
  /** A list for each secret, the latest last. */
  secrets: z.array(z.array(fingerprintSchema)),
});
export type Fingerprints = z.infer<typeof fingerprintsSchema>;

/** Empty for a value that is too short to be looked for. */
export function fingerprintsOf(key: Buffer, value: Buffer): readonly Fingerprint[] {
  const base = baseOf(key);
  return formsOf(value).map(({ bytes, plain }) => ({
    length: bytes.length,
    hash: hashOf(bytes, base),
    digest: digestOf(key, bytes),
    plain,
  }));
}

export interface Found {
  /** The same for the same secret text. */
  readonly digest: string;
  readonly index: number;
}

/** Above so many bytes encodings are not looked for: one pass over the file for each length there is. */
const largestWhole = 2 ** 20;

/** The first place of each. */
export function openFingerprintSearch({ key: keyText, secrets }: Fingerprints): (content: Buffer) => readonly Found[] {
  const key = Buffer.from(keyText, 'hex');
  const base = baseOf(key);
  const all = secrets.flat();
  const every = byLength(all);
  const plain = byLength(all.filter((each) => each.plain));
  return (content) => {
    const found = new Map<string, Found>();
    for (const [length, wanted] of content.length > largestWhole ? plain : every) {
      scan(content, { length, wanted, base, key }, (each) => {
        if (!found.has(each.digest)) found.set(each.digest, each);
      });
    }
    return [...found.values()];
  };
}

interface Wanted {
  /** One bit for each value of a hash's upper half: most windows are dismissed by a look at it. */
  readonly bits: Uint8Array;
  readonly hashes: ReadonlyMap<number, ReadonlySet<string>>;
}

function byLength(fingerprints: readonly Fingerprint[]): ReadonlyMap<number, Wanted> {
  const groups = new Map<number, { bits: Uint8Array; hashes: Map<number, Set<string>> }>();
  for (const { length, hash, digest } of fingerprints) {
    const group = groups.get(length) ?? { bits: new Uint8Array(2 ** 16), hashes: new Map<number, Set<string>>() };
    groups.set(length, group);
    group.bits[hash >>> 16] = 1;
    group.hashes.set(hash, (group.hashes.get(hash) ?? new Set()).add(digest));
  }
  return groups;
}

interface Scan {
  readonly length: number;
  readonly wanted: Wanted;
  readonly base: number;
  readonly key: Buffer;
}

function scan(content: Buffer, { length, wanted, base, key }: Scan, tell: (found: Found) => void): void {
  if (content.length < length) return;
  const { bits, hashes } = wanted;
  let leaving = 1;
  for (let power = 0; power < length; power += 1) leaving = Math.imul(leaving, base);
  let hash = 0;
  for (let at = 0; at < content.length; at += 1) {
    hash = (Math.imul(hash, base) + (content[at] ?? 0) + 1) | 0;
    if (at >= length) hash = (hash - Math.imul(leaving, (content[at - length] ?? 0) + 1)) | 0;
    if (at < length - 1 || bits[(hash >>> 0) >>> 16] === 0) continue;
    const digests = hashes.get(hash >>> 0);
    if (digests === undefined) continue;
    const index = at - length + 1;
    const digest = digestOf(key, content.subarray(index, at + 1));
    if (digests.has(digest)) tell({ digest, index });
  }
}

function hashOf(bytes: Buffer, base: number): number {
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, base) + byte + 1) | 0;
  return hash >>> 0;
}

/** Odd, and unknown without the key. */
function baseOf(key: Buffer): number {
  return createHmac('sha256', key).update('rolling hash').digest().readInt32LE(0) | 1;
}

function digestOf(key: Buffer, bytes: Buffer): string {
  return createHmac('sha256', key).update(bytes).digest('hex').slice(0, 32);
}
