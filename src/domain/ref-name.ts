/** Full reference names (`refs/…`), held to the rules of git-check-ref-format(1). */
import type { Brand } from './brand.ts';
import { CoppiceError } from './error.ts';

export type RefName = Brand<string, 'RefName'>;

const forbidden = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$/;

/** Whether git would accept this as a full reference name. */
export function isRefName(text: string): text is RefName {
  if (!text.startsWith('refs/') || forbidden.test(text)) return false;
  return text.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}

export function parseRefName(text: string): RefName {
  if (isRefName(text)) return text;
  throw new CoppiceError('usage', 'bad-ref-name', `${JSON.stringify(text)} is not a reference name git accepts.`, {
    hint: 'See git-check-ref-format(1) for the rules.',
  });
}

/** A branch given by its short name (`main`) or its full one (`refs/heads/main`). */
export function parseBranch(text: string): RefName {
  const full = text.startsWith('refs/heads/') ? text : `refs/heads/${text}`;
  if (isRefName(full) && !text.startsWith('-')) return full;
  throw new CoppiceError('usage', 'bad-branch-name', `${JSON.stringify(text)} is not a branch name git accepts.`, {
    hint: 'Name a branch such as main or feature/login.',
  });
}

/** `refs/heads/main` → `main`; other references stay as they are. */
export function shortName(ref: RefName): string {
  return ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : ref;
}
