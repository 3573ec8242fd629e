/** Secrets that environments were given, found by their fingerprints in a file's content and in its path. */
import { readFile, stat } from 'node:fs/promises';
import { type BytePath, bytesOf } from '../../../domain/byte-path.ts';
import { type Found, fingerprintsSchema, openFingerprintSearch } from '../../../domain/fingerprints.ts';
import { ifPresent } from '../../../platform/errno.ts';
import type { Finding } from './finding.ts';

/** With its article, as the kinds of other findings. */
export const givenSecret = 'a secret that was given to an environment';

export interface GivenSecrets {
  /** Reads the file again if it has changed; true when it had. */
  refresh(): Promise<boolean>;
  /** Changes with the secrets; empty where there are none. */
  stamp(): string;
  find(path: BytePath, content: Buffer): readonly Finding[];
}

type Search = (content: Buffer) => readonly Found[];
const nothing: Search = () => [];

/** Nothing is known before the first refresh. */
export function openGivenSecrets(file: string): GivenSecrets {
  let stamp = '';
  let search = nothing;
  return {
    async refresh() {
      const found = await ifPresent(stat(file));
      const now = found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
      if (now === stamp) return false;
      search = await load(file);
      stamp = now;
      return true;
    },
    stamp: () => (search === nothing ? '' : stamp),
    find: (path, content) => {
      const named = search(bytesOf(path)).map(({ digest }) => ({
        kind: givenSecret,
        value: `path ${digest}`,
        index: 0,
      }));
      return [...named, ...search(content).map(({ digest, index }) => ({ kind: givenSecret, value: digest, index }))];
    },
  };
}

/** One that cannot be understood is replaced by the next command that gives a secret. */
async function load(file: string): Promise<Search> {
  const text = await ifPresent(readFile(file, 'utf8'));
  if (text === undefined) return nothing;
  try {
    const fingerprints = fingerprintsSchema.parse(JSON.parse(text));
    return fingerprints.secrets.length === 0 ? nothing : openFingerprintSearch(fingerprints);
  } catch (error) {
    if (error instanceof Error) return nothing;
    throw error;
  }
}
