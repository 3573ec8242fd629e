/**
 * What an environment has of this machine: mounts and secrets with the real paths behind links, in words that a person can
 * approve. Where a link leads elsewhere later, the words differ, and it is something else that has to be approved.
 */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { type HostRequest, hostRequestOf, type SecretRequest } from '../../domain/host-access.ts';
import { parseSecretReference, type SecretReference } from '../../domain/secret-reference.ts';
import { quoted } from '../../domain/visible.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { Mount } from '../../runtime/runtime.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { mountRisks } from './mount-risks.ts';

export interface NamedSecret {
  /** The environment variable. */
  readonly name: string;
  readonly from: string;
  readonly as: 'variable' | 'file';
  /** With a file's real path. */
  readonly reference: SecretReference;
}

export interface HostAccess {
  /** With the real path of each source. */
  readonly mounts: readonly Mount[];
  readonly secrets: readonly NamedSecret[];
  readonly root: boolean;
  /** A line for each, in a fixed order; two different accesses never have the same. Empty: there is nothing to approve. */
  readonly lines: readonly string[];
  /** What of it deserves a second look. */
  readonly risks: readonly string[];
}

export async function hostAccessOf(workplace: Workplace, request: HostRequest): Promise<HostAccess> {
  const mounts = await Promise.all(
    request.mounts.map(async (mount) => ({ ...mount, source: await realPathOf(workplace, mount.source) })),
  );
  const secrets = await Promise.all(
    Object.entries(request.secrets).map(([name, secret]) => namedSecret(workplace, name, secret)),
  );
  const risks = await Promise.all(mounts.map((mount) => mountRisks(workplace, mount)));
  return {
    mounts,
    secrets,
    root: request.root,
    lines: [
      ...mounts.map(mountLine).sort(),
      ...secrets.map(secretLine).sort(),
      ...(request.root ? ['root     commands as root inside, for whoever runs `coppice exec --root`'] : []),
    ],
    risks: risks.flat(),
  };
}

export function accessOf(workplace: Workplace, { record }: Environment): Promise<HostAccess> {
  return hostAccessOf(workplace, hostRequestOf(record.spec));
}

/** Throws `bad-reference` (kind `usage`) without repeating it: it may be a secret by mistake. */
export async function namedSecret(
  workplace: Workplace,
  name: string,
  { from, as }: SecretRequest,
): Promise<NamedSecret> {
  const reference = parseSecretReference(from);
  if (reference === undefined) {
    throw new CoppiceError('usage', 'bad-reference', `The secret ${name} has no reference that coppice understands.`, {
      data: { secret: name },
    });
  }
  if (reference.kind !== 'file') return { name, from, as, reference };
  return { name, from, as, reference: { kind: 'file', path: await realPathOf(workplace, reference.path) } };
}

/** Relative to the top of the repository, `~` as in a shell. What does not exist yet keeps its name. */
async function realPathOf({ repository, surroundings }: Workplace, written: string): Promise<string> {
  const common = repository.commonDirectory;
  const top = basename(common) === '.git' ? dirname(common) : common;
  const path = /^~(?:\/|$)/.test(written) ? join(surroundings.home, written.slice(1)) : resolve(top, written);
  return (await ifPresent(realpath(path))) ?? path;
}

function mountLine({ source, target, readOnly }: Mount): string {
  return `mount    ${quoted(source)} at ${quoted(target)} inside, ${readOnly ? 'read-only' : 'WRITABLE'}`;
}

function secretLine({ name, as, reference }: NamedSecret): string {
  return `secret   ${name}, ${as === 'file' ? 'as a file, ' : ''}from ${sourceOf(reference)}`;
}

function sourceOf(reference: SecretReference): string {
  switch (reference.kind) {
    case 'env':
      return `your environment variable ${reference.variable}`;
    case 'file':
      return `your file ${quoted(reference.path)}`;
    case 'op':
      return `1Password: ${quoted(reference.reference)}`;
    case 'vault':
      return `Vault: ${quoted(reference.path)}, field ${quoted(reference.field)}`;
    case 'command':
      return `a command run ON THIS MACHINE as you: ${quoted(reference.command)}`;
  }
}
