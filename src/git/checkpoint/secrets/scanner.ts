/**
 * Looks for secrets in what a checkpoint is about to record. Quick where there are none: one pass for the beginnings of
 * keys and tokens; the rules are loaded when that finds something. What a recorded version of the file has already does
 * not count again.
 */
import type { BytePath } from '../../../domain/byte-path.ts';
import type { SecretSearch } from '../../checkpointer.ts';
import { openAllowedPaths } from './allowed-paths.ts';
import { isDummy } from './dummies.ts';
import type { Finding } from './finding.ts';
import { givenSecret, openGivenSecrets } from './given-secrets.ts';
import { ownFindings, ownTrigger } from './own-rules.ts';
import { presetTable } from './preset-table.ts';

export interface Suspicion {
  /** One clause for people, without the value: `looks like a GitHub token (line 3)`. */
  readonly detail: string;
  /** False when the search itself failed: worth another try. */
  readonly certain: boolean;
}

export interface SecretScanner {
  /** Looks whether other secrets are known by now; true when they are. */
  refresh(): Promise<boolean>;
  /** A name for what is searched for now; empty for nothing at all. */
  searchedFor(): string;
  /** undefined: nothing that `recorded`, the version recorded before, does not have. Never throws. */
  examine(path: BytePath, content: Buffer, recorded: () => Promise<Buffer | undefined>): Promise<Suspicion | undefined>;
}

/** Bytes. Larger files are data; the exact values are looked for in them all the same. */
const largestText = 2 ** 20;
/** What git looks at to tell text from anything else (FIRST_FEW_BYTES). */
const firstBytes = 8000;
const triggers = [...[...presetTable.values()].map(({ trigger }) => trigger), ownTrigger];
const anyTrigger = new RegExp([...new Set(triggers.map(({ source }) => source))].join('|'));

export async function openSecretScanner(search: SecretSearch): Promise<SecretScanner> {
  const isAllowed = search.patterns === 'off' ? () => true : openAllowedPaths(search.allow);
  const given = openGivenSecrets(search.fingerprints);
  await given.refresh();

  const findAll = async (path: BytePath, content: Buffer): Promise<readonly Finding[]> => {
    const known = given.find(path, content);
    const text = isAllowed(path) ? undefined : textOf(content);
    return text === undefined ? known : [...known, ...(await find(path, text))];
  };

  return {
    refresh: () => given.refresh(),
    searchedFor: () => (search.patterns === 'off' ? given.stamp() : JSON.stringify([search.allow, given.stamp()])),
    async examine(path, content, recorded) {
      try {
        const found = await findAll(path, content);
        if (found.length === 0) return undefined;
        const before = await recorded();
        const had = new Set(before === undefined ? [] : (await findAll(path, before)).map(({ value }) => value));
        const fresh = found.filter(({ value }) => !had.has(value));
        return fresh.length === 0 ? undefined : { detail: describe(fresh, content.toString('latin1')), certain: true };
      } catch (error) {
        const name = error instanceof Error ? error.name : typeof error;
        return { detail: `could not be searched for secrets (${name})`, certain: false };
      }
    },
  };
}

/** `text` has a character per byte: what is looked for is ASCII. */
async function find(path: BytePath, text: string): Promise<readonly Finding[]> {
  if (!anyTrigger.test(text)) return [];
  const names = new Set([...presetTable].filter(([, { trigger }]) => trigger.test(text)).map(([name]) => name));
  const fileName = path.slice(path.lastIndexOf('/') + 1);
  const preset =
    names.size === 0 ? [] : await (await import('./preset-rules.ts')).presetFindings(names, fileName, text);
  const found = [...ownFindings(text), ...preset].filter((finding) => !isDummy(finding));
  return [...new Map(found.map((finding) => [finding.value, finding])).values()];
}

/** undefined where the content is large or no text. */
function textOf(content: Buffer): string | undefined {
  if (content.length > largestText || content.subarray(0, firstBytes).includes(0)) return undefined;
  return content.toString('latin1');
}

function describe(found: readonly Finding[], text: string): string {
  const [first, ...rest] = found.toSorted((left, right) => left.index - right.index);
  if (first === undefined) return '';
  // Lines and encodings of one given secret are found one by one.
  const others = rest.filter(({ kind }) => kind !== givenSecret || first.kind !== givenSecret);
  const line = text.slice(0, first.index).split('\n').length;
  const where = text.slice(0, firstBytes).includes('\0') ? '' : ` (line ${line})`;
  const verb = first.kind === givenSecret ? 'contains' : 'looks like';
  return `${verb} ${first.kind}${where}${others.length === 0 ? '' : `, and ${others.length} more`}`;
}
