/** What the preset does not know, or knows too narrowly: private keys of every kind, key pairs, tokens of more services. */
import type { Finding } from './finding.ts';

interface OwnRule {
  readonly kind: string;
  /** The value is the first group, or all of it. */
  readonly pattern: RegExp;
}

/** Formats as the services document them, or as GitHub's and GitLab's public lists of detected secrets have them. */
const ownRules: readonly OwnRule[] = [
  { kind: 'a Stripe key', pattern: /(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{20,250}(?![A-Za-z0-9])/ },
  { kind: 'a Google API key', pattern: /(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/ },
  { kind: 'an Anthropic token', pattern: /(?<![A-Za-z0-9])sk-ant-[a-z]{3,10}\d\d-[A-Za-z0-9_-]{80,200}/ },
  { kind: 'an OpenRouter API key', pattern: /(?<![A-Za-z0-9])sk-or-v1-[0-9a-f]{64}(?![0-9a-f])/ },
  { kind: 'a GitLab token', pattern: /(?<![A-Za-z0-9])gl(?:oas|dt|rt|cbt|ptt|ft|soat|agent)-[A-Za-z0-9_-]{20,128}/ },
  { kind: 'a PyPI token', pattern: /(?<![A-Za-z0-9])pypi-AgEI[A-Za-z0-9_-]{50,250}/ },
  { kind: 'an age secret key', pattern: /AGE-SECRET-KEY-1[A-Z0-9]{58}/ },
  {
    kind: 'an AWS access key pair',
    pattern:
      /(?<![A-Z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Z0-9])[\s\S]{0,200}?(?<![A-Za-z0-9/+=])([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/,
  },
];

const keyBegins = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d/;
/** Within so many characters the key itself has begun, whatever headers stand before it. */
const headersEnd = 1000;
const keyBytes = /^[A-Za-z0-9+/=]{40}/;
/** No key is longer: RSA with 16,384 bits takes 13 kB. */
const longestKey = 16_384;

/** Matches wherever one of these rules could find something, and is quick. */
export const ownTrigger =
  /[rs]k_(?:live|test)_|AIza[A-Za-z0-9_-]{35}|sk-ant-|sk-or-v1-|gl[a-z]{2,5}-[A-Za-z0-9_-]{20}|pypi-AgEI|AGE-SECRET-KEY-1|A[KS]IA[A-Z0-9]{16}|PRIVATE KEY|PuTTY-User-Key-File/;

export function ownFindings(text: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { kind, pattern } of ownRules) {
    for (const match of text.matchAll(new RegExp(pattern, 'g'))) {
      const value = match[1] ?? match[0];
      // Forty hexadecimal digits beside a key id are the name of a commit.
      if (match[1] !== undefined && /^[0-9a-f]+$/.test(value)) continue;
      findings.push({ kind, value, index: match.index + match[0].length - value.length });
    }
  }
  return [...findings, ...privateKeys(text)];
}

/** A header alone, or one with dots for the key, is documentation. */
function privateKeys(text: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const match of text.matchAll(new RegExp(keyBegins, 'g'))) {
    const start = match.index + match[0].length;
    const bytes = keyBytes.exec(bare(upToNextLine(text.slice(start, start + headersEnd))))?.[0] ?? '';
    if (new Set(bytes).size < 8) continue;
    findings.push({
      kind: 'a private key',
      value: upToNextLine(text.slice(start, start + longestKey)),
      index: match.index,
    });
  }
  return findings;
}

/** Without headers (`Proc-Type: 4,ENCRYPTED`) and without what a program, a comment or JSON puts around each line. */
function bare(text: string): string {
  const lines = text.replaceAll(/\\[nr]/g, '\n').replaceAll(/^[ \t]*[A-Za-z-]*:.*$/gm, '');
  return lines.replaceAll(/[\s"'`,#*|\\]/g, '');
}

/** The line that ends the key, or begins the next one. */
function upToNextLine(text: string): string {
  const end = text.indexOf('-----');
  return end < 0 ? text : text.slice(0, end);
}
