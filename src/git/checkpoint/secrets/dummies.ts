/** Tells a secret from what stands for one in documentation, tests and settings for a developer's own machine. */
import type { Finding } from './finding.ts';

const placeholder =
  /example|dummy|placeholder|change[-_]?me|redacted|(?:^|[-_.:/])your(?:[-_.]|$)|x{6}|\*{3}|\.\.\.|0{8}|12345678|abcdefgh/i;
/** A made-up value repeats itself; thirty random characters of even hexadecimal digits do not. */
const fewestCharacters = 10;

const address = /^[a-z0-9+:]+:\/\/([^:@/\s]*):([^@/\s]*)@(\[[^\]]*\]|[^/:?#,\s]*)/i;
const localHost =
  /^(?:127\.|10\.|192\.168\.|0\.0\.0\.0$|\[)|(?:^|\.)(?:localhost|local|localdomain|test|example|invalid|docker\.internal|example\.(?:com|net|org))$/i;
const commonPassword =
  /^(?:pass|passwd|password|pw|pwd|secret|root|admin|guest|user|test|testing|postgres|mysql|mongo|redis|token|foo|bar|baz|hunter2)\d{0,3}$/i;

export function isDummy({ kind, value }: Finding): boolean {
  const parts = address.exec(value);
  if (parts !== null) return isDummyAddress(parts[1] ?? '', parts[2] ?? '', parts[3] ?? '');
  if (kind === 'a private key') return false;
  if (kind === 'a Slack token' && !/\d/.test(value)) return true;
  return placeholder.test(value) || /^[$<{%]/.test(value) || new Set(value).size < fewestCharacters;
}

/** A host without a dot is a service beside the program: `db` of a compose file. */
function isDummyAddress(user: string, password: string, host: string): boolean {
  if (!host.includes('.') || localHost.test(host)) return true;
  return (
    password === user ||
    commonPassword.test(password) ||
    placeholder.test(password) ||
    /[$<{%]/.test(password[0] ?? '$')
  );
}
