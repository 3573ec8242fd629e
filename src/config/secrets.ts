/** Has the values of secrets on the host. A value is returned and nothing else: no message, no log ever has it. */
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { SecretReference } from '../domain/secret-reference.ts';
import { quoted } from '../domain/visible.ts';
import { run } from '../platform/process.ts';
import { readFileBelow } from '../platform/read-below.ts';
import { childEnvironment, type Surroundings } from '../platform/surroundings.ts';

/** Bytes. More is data, not a secret. */
const largest = 32 * 1024;
/** Milliseconds: somebody may have to unlock a vault. */
const patience = 120_000;

/** Of a file the path is absolute and leads through no link. Throws `secret-unresolved` (kind `unavailable`). */
export async function resolveSecret(
  name: string,
  reference: SecretReference,
  surroundings: Surroundings,
): Promise<Buffer> {
  const value = await read(name, reference, surroundings);
  if (value.length === 0) throw unresolved(name, `${describe(reference)} is empty`);
  if (value.length > largest) throw unresolved(name, `${describe(reference)} has more than ${largest / 1024} KiB`);
  if (value.includes(0) || !isText(value)) throw unresolved(name, `${describe(reference)} is no text`);
  return value;
}

async function read(name: string, reference: SecretReference, surroundings: Surroundings): Promise<Buffer> {
  switch (reference.kind) {
    case 'env': {
      const value = surroundings.env[reference.variable];
      if (value === undefined) throw unresolved(name, `${describe(reference)} is not set`);
      return Buffer.from(value);
    }
    case 'file': {
      const value = readFileBelow('/', reference.path.slice(1));
      if (value === undefined) throw unresolved(name, `${describe(reference)} cannot be read as a regular file`);
      return value;
    }
    case 'op':
      return ask(name, reference, surroundings, ['op', 'read', reference.reference]);
    case 'vault':
      return ask(name, reference, surroundings, ['vault', 'kv', 'get', `-field=${reference.field}`, reference.path]);
    case 'command':
      return ask(name, reference, surroundings, ['sh', '-c', reference.command]);
  }
}

const programs: Readonly<Record<string, string>> = {
  op: 'Install the 1Password command line (op) and sign in, or use another kind of reference.',
  vault: 'Install the Vault command line (vault) and log in, or use another kind of reference.',
};

/** In the home directory: a command must not mean something else in each checkout. */
async function ask(
  name: string,
  reference: SecretReference,
  surroundings: Surroundings,
  [program = '', ...args]: readonly string[],
): Promise<Buffer> {
  const env = childEnvironment(surroundings);
  let done: Awaited<ReturnType<typeof run>>;
  try {
    done = await run(program, args, { env, cwd: surroundings.home, timeout: patience, maxOutput: largest + 2 });
  } catch (error) {
    if (hasCode(error, 'program-missing')) {
      throw unresolved(name, `the program ${program}, which ${describe(reference)} needs, is not installed`, {
        hint: programs[program] ?? `Install ${program}.`,
      });
    }
    if (hasCode(error, 'too-much-output'))
      throw unresolved(name, `${describe(reference)} has more than ${largest / 1024} KiB`);
    if (hasCode(error, 'deadline'))
      throw unresolved(name, `${describe(reference)} gave no answer in ${patience / 1000} s`);
    throw error;
  }
  // What it said may have the value in it.
  if (done.status !== 0) {
    throw unresolved(name, `${describe(reference)} ended with status ${done.status}`, {
      hint: `Run it yourself to see why: ${[program, ...args].map(shellWord).join(' ')}`,
    });
  }
  return done.stdout;
}

function describe(reference: SecretReference): string {
  switch (reference.kind) {
    case 'env':
      return `the environment variable ${reference.variable}`;
    case 'file':
      return `the file ${quoted(reference.path)}`;
    case 'op':
      return `1Password’s ${quoted(reference.reference)}`;
    case 'vault':
      return `the field ${quoted(reference.field)} of Vault’s ${quoted(reference.path)}`;
    case 'command':
      return `the command ${quoted(reference.command)}`;
  }
}

function unresolved(name: string, why: string, { hint }: { readonly hint?: string } = {}): CoppiceError {
  return new CoppiceError('unavailable', 'secret-unresolved', `The secret ${name} cannot be had: ${why}.`, {
    hint: hint ?? 'Provide it, or run without the secrets: --without-secrets.',
    data: { secret: name },
  });
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word);
}

function isText(value: Buffer): boolean {
  return Buffer.from(value.toString('utf8')).equals(value);
}
