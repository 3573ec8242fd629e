/** `--secret NAME=REF` and `--secret-file NAME=REF`, as several commands take them. */
import { resolve } from 'node:path';
import { CoppiceError } from '../domain/error.ts';
import type { SecretRequest } from '../domain/host-access.ts';
import { isSecretName, parseSecretReference, referenceForms } from '../domain/secret-reference.ts';
import { type NamedSecret, namedSecret } from '../environment/access/access.ts';
import type { Workplace } from '../environment/workplace.ts';
import type { Flag } from './operation.ts';

export const secretFacts: Flag = {
  help: 'Give commands the variable NAME with a secret from env:NAME, file:PATH, op://…, vault:PATH#FIELD or command:COMMAND; repeatable.',
  value: 'NAME=REF',
};

export const secretFileFacts: Flag = {
  help: 'The same as a file in memory: the variable NAME is its path.',
  value: 'NAME=REF',
};

/** Paths are meant from the directory the caller stands in. */
export function parseSecrets(
  given: { readonly secret: readonly string[]; readonly secretFile: readonly string[] },
  cwd: string,
): Record<string, SecretRequest> {
  return Object.fromEntries([
    ...given.secret.map((each) => parseSecret(each, 'variable', cwd)),
    ...given.secretFile.map((each) => parseSecret(each, 'file', cwd)),
  ]);
}

export function namedSecrets(
  workplace: Workplace,
  secrets: Readonly<Record<string, SecretRequest>>,
): Promise<readonly NamedSecret[]> {
  return Promise.all(Object.entries(secrets).map(([name, request]) => namedSecret(workplace, name, request)));
}

/** Nothing after the name is repeated in an error: it may be the secret itself by mistake. */
function parseSecret(text: string, as: SecretRequest['as'], cwd: string): readonly [string, SecretRequest] {
  const at = text.indexOf('=');
  const name = at < 0 ? '' : text.slice(0, at);
  const from = text.slice(at + 1);
  if (!isSecretName(name)) {
    throw new CoppiceError('usage', 'bad-secret', 'A secret needs the name of a variable it can be.', {
      hint: `Write NAME=REF, where REF is ${referenceForms}.`,
    });
  }
  const reference = parseSecretReference(from);
  if (reference === undefined) {
    throw new CoppiceError('usage', 'bad-reference', `What ${name} is to be is no reference; a value is not taken.`, {
      hint: `Write ${name}=REF, where REF is ${referenceForms}.`,
    });
  }
  const isRelative = reference.kind === 'file' && !/^~(?:\/|$)/.test(reference.path);
  return [name, { from: isRelative ? `file:${resolve(cwd, reference.path)}` : from, as }];
}
