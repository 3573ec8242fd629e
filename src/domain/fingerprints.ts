/**
 * Finds secrets in a file without knowing them. Of each form of a secret only its length, a 32-bit rolling hash (Karp and
 * Rabin) of its first 16 bytes and a keyed digest of all of it are kept; where the hash fits, the digest is compared. The
 * digest is HMAC-SHA256, so nothing can be read back; but who has key and digest can try guesses, as with every stored hash.
 */
import { createHmac } from 'node:crypto';
import * as z from 'zod/mini';
import { isCut } from './denied-host.ts';
import { formsOf, hostFormsOf } from './secret-forms.ts';

export const fingerprintSchema = z.object({
  /** Bytes. */
  length: z.number(),
  /** Of the first bytes. */
  hash: z.number(),
  /** The first 16 bytes, in hexadecimal digits. */
  digest: z.string(),
  /** Of the value itself or a line of it, not of an encoding. */
  plain: z.boolean(),
  /** Of a form for the names of hosts alone: too common a text, perhaps, for files. */
  host: z.optional(z.boolean()),
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

/** Bytes hashed: most forms are as long, so that one pass over a file looks for all of them. */
const window = 16;

/** Empty for a value that is too short to be looked for. */
export function fingerprintsOf(key: Buffer, value: Buffer): readonly Fingerprint[] {
  const base = baseOf(key);
  const print = (bytes: Buffer) => ({
    length: bytes.length,
    hash: hashOf(bytes.subarray(0, window), base),
    digest: digestOf(key, bytes),
  });
  return [
    ...formsOf(value).map(({ bytes, plain }) => ({ ...print(bytes), plain })),
    ...hostFormsOf(value).map((bytes) => ({ ...print(bytes), plain: false, host: true })),
  ];
}

export interface Found {
  /** The same for the same secret text. */
  readonly digest: string;
  readonly index: number;
}

/** Above so many bytes encodings are not looked for. */
const largestWhole = 2 ** 20;

/** The first place of each. */
export function openFingerprintSearch({ key: keyText, secrets }: Fingerprints): (content: Buffer) => readonly Found[] {
  const key = Buffer.from(keyText, 'hex');
  const base = baseOf(key);
  const all = secrets.flat().filter(({ host }) => host !== true);
  const every = byWindow(all);
  const plain = byWindow(all.filter((each) => each.plain));
  return (content) => {
    const found = new Map<string, Found>();
    for (const [size, wanted] of content.length > largestWhole ? plain : every) {
      scan(content, { size, wanted, base }, (index, candidates) => {
        for (const { length, digest } of candidates) {
          if (found.has(digest) || index + length > content.length) continue;
          if (digestOf(key, content.subarray(index, index + length)) === digest) found.set(digest, { digest, index });
        }
      });
    }
    return [...found.values()];
  };
}

/** Writes stars over the secrets in a host name, as `deniedHost` has it: in upper case or not, and where it was cut. */
export function openHostMask({ key: keyText, secrets }: Fingerprints): (host: string) => string {
  const key = Buffer.from(keyText, 'hex');
  const base = baseOf(key);
  const every = byWindow(secrets.flat());
  return (host) => {
    const bytes = Buffer.from(host, 'latin1');
    const isHidden = new Array<boolean>(bytes.length).fill(false);
    for (const [size, wanted] of every) {
      scan(bytes, { size, wanted, base }, (index, candidates) => {
        for (const { length, digest } of candidates) {
          const end = index + length;
          const fits = end <= bytes.length && digestOf(key, bytes.subarray(index, end)) === digest;
          // Of one that was cut off, the hash of its first bytes is all there is to compare.
          if (fits || (end > bytes.length && isCut(host))) isHidden.fill(true, index, Math.min(end, bytes.length));
        }
      });
    }
    return [...host].map((character, at) => starred(character, isHidden, at)).join('');
  };
}

function starred(character: string, isHidden: readonly boolean[], at: number): string {
  if (isHidden[at] !== true) return character;
  return isHidden[at - 1] === true ? '' : '***';
}

interface Wanted {
  /** One for each value of a hash's upper half: most places are dismissed by a look at it. */
  readonly bits: Uint8Array;
  readonly byHash: ReadonlyMap<number, readonly Fingerprint[]>;
}

function byWindow(fingerprints: readonly Fingerprint[]): ReadonlyMap<number, Wanted> {
  const groups = new Map<number, { bits: Uint8Array; byHash: Map<number, Fingerprint[]> }>();
  for (const fingerprint of fingerprints) {
    const size = Math.min(fingerprint.length, window);
    const group = groups.get(size) ?? { bits: new Uint8Array(2 ** 16), byHash: new Map<number, Fingerprint[]>() };
    groups.set(size, group);
    group.bits[fingerprint.hash >>> 16] = 1;
    group.byHash.set(fingerprint.hash, [...(group.byHash.get(fingerprint.hash) ?? []), fingerprint]);
  }
  return groups;
}

interface Scan {
  readonly size: number;
  readonly wanted: Wanted;
  readonly base: number;
}

function scan(
  content: Buffer,
  { size, wanted: { bits, byHash }, base }: Scan,
  tell: (index: number, candidates: readonly Fingerprint[]) => void,
): void {
  let leaving = 1;
  for (let power = 0; power < size; power += 1) leaving = Math.imul(leaving, base);
  let hash = 0;
  for (let at = 0; at < content.length; at += 1) {
    hash = (Math.imul(hash, base) + (content[at] ?? 0) + 1) | 0;
    if (at >= size) hash = (hash - Math.imul(leaving, (content[at - size] ?? 0) + 1)) | 0;
    if (at < size - 1 || bits[hash >>> 16] === 0) continue;
    const candidates = byHash.get(hash >>> 0);
    if (candidates !== undefined) tell(at - size + 1, candidates);
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
