/**
 * Keeps fingerprints of the secrets that environments of a repository were given, for the user alone to read. With them every process holds back files with a secret that it has never seen.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Fingerprints, fingerprintsOf, fingerprintsSchema, openHostMask } from '../domain/fingerprints.ts';
import { ifPresent } from '../platform/errno.ts';
import { withLock } from '../platform/lock.ts';
import { replaceFile } from '../platform/replace-file.ts';

/** A secret that was replaced stays in the list, for it may still be valid; of very many the oldest go. */
const most = 100;

/** Before a process is given them. */
export async function rememberSecrets(file: string, values: readonly Buffer[]): Promise<void> {
  await withLock(`fingerprints:${file}`, async () => {
    const kept = (await read(file)) ?? { version: 1, key: randomBytes(32).toString('hex'), secrets: [] };
    const key = Buffer.from(kept.key, 'hex');
    const fresh = values.map((value) => [...fingerprintsOf(key, value)]).filter((each) => each.length > 0);
    const known = new Map(kept.secrets.map((each) => [idOf(each), each]));
    if (fresh.every((each) => known.has(idOf(each)))) return;
    for (const each of fresh) {
      known.delete(idOf(each));
      known.set(idOf(each), each);
    }
    await replaceFile(file, `${JSON.stringify({ ...kept, secrets: [...known.values()].slice(-most) })}\n`);
  });
}

/** For host names that were denied; nothing to hide where nothing was given. */
export async function hostMask(file: string): Promise<(host: string) => string> {
  const known = await read(file);
  return known === undefined ? (host) => host : openHostMask(known);
}

function idOf(secret: Fingerprints['secrets'][number]): string {
  return secret.map(({ digest }) => digest).join();
}

/** One that is damaged is made anew: what is given from now on is known again. */
async function read(file: string): Promise<Fingerprints | undefined> {
  const text = await ifPresent(readFile(file, 'utf8'));
  if (text === undefined) return undefined;
  try {
    return fingerprintsSchema.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
