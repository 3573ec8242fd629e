/** Where a secret's value is had from. The reference is no secret: it stands in specs, records and answers. Pure. */

export type SecretReference =
  /** An environment variable of the process that runs coppice. */
  | { readonly kind: 'env'; readonly variable: string }
  | { readonly kind: 'file'; readonly path: string }
  /** 1Password: `op://vault/item/field`. */
  | { readonly kind: 'op'; readonly reference: string }
  /** A field of HashiCorp Vault's key-value store. */
  | { readonly kind: 'vault'; readonly path: string; readonly field: string }
  /** What a shell command on the host prints. */
  | { readonly kind: 'command'; readonly command: string };

export const referenceForms = 'env:NAME, file:PATH, op://VAULT/ITEM/FIELD, vault:PATH#FIELD or command:COMMAND';

/** undefined for what is no reference: it may be a secret itself, so nobody should repeat it. */
export function parseSecretReference(text: string): SecretReference | undefined {
  if (text.includes('\0')) return undefined;
  const [, scheme = '', rest = ''] = /^([a-z]+):(.+)$/s.exec(text) ?? [];
  switch (scheme) {
    case 'env':
      return /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest) ? { kind: 'env', variable: rest } : undefined;
    case 'file':
      return { kind: 'file', path: rest };
    case 'op':
      return /^\/\/[^/]+\/[^/]+\/./.test(rest) ? { kind: 'op', reference: text } : undefined;
    case 'vault': {
      // A path that begins with a dash would be an option of vault's.
      const [, path, field] = /^([^-#][^#]*)#([A-Za-z0-9_.-]+)$/.exec(rest) ?? [];
      return path === undefined || field === undefined ? undefined : { kind: 'vault', path, field };
    }
    case 'command':
      return rest.trim() === '' ? undefined : { kind: 'command', command: rest };
    default:
      return undefined;
  }
}

export function isSecretReference(text: string): boolean {
  return parseSecretReference(text) !== undefined;
}

/** Variables that a shell does not let anybody set, and those that coppice sets. */
const notForSecrets = /^(?:E?UID|GROUPS|PPID|SHELLOPTS|BASHOPTS|BASH_VERSINFO|PATH|HOME|COPPICE_.*)$/;

/** Whether a secret can be the environment variable of this name. */
export function isSecretName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(text) && !notForSecrets.test(text);
}
