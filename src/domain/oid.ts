/** Object names: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. */
import type { Brand } from './brand.ts';
import { CoppiceError } from './error.ts';

export type Oid = Brand<string, 'Oid'>;

export type ObjectFormat = 'sha1' | 'sha256';

const shape = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export function isOid(text: string): text is Oid {
  return shape.test(text);
}

/** Throws a bug: object names come from machines, never from people. */
export function parseOid(text: string): Oid {
  if (!isOid(text)) throw new CoppiceError('bug', 'not-an-oid', `${JSON.stringify(text)} is not an object name.`);
  return text;
}

/** The all-zero name that git uses for “no object” in reference updates. */
export function zeroOid(format: ObjectFormat): Oid {
  return '0'.repeat(format === 'sha1' ? 40 : 64) as Oid;
}

export function shortOid(oid: Oid): string {
  return oid.slice(0, 10);
}
