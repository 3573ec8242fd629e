/** What is taken for a secret, and what is not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { rememberSecrets } from '../../../../src/config/fingerprint-file.ts';
import type { BytePath } from '../../../../src/domain/byte-path.ts';
import { presetNames } from '../../../../src/git/checkpoint/secrets/preset-rules.ts';
import { leftOut, presetTable } from '../../../../src/git/checkpoint/secrets/preset-table.ts';
import { openSecretScanner } from '../../../../src/git/checkpoint/secrets/scanner.ts';
import type { SecretSearch } from '../../../../src/git/checkpointer.ts';
import { temporaryDirectory } from '../../../support/repository.ts';
import { armoured, awsEnvironment, awsSecret, githubToken, random, secrets } from './made-up.ts';

interface Case {
  readonly path?: string;
  readonly before?: string | Buffer;
  readonly search?: Partial<SecretSearch>;
  /** Secrets that were given to an environment. */
  readonly given?: readonly string[];
}

const search: SecretSearch = { patterns: 'on', allow: [], fingerprints: '/nonexistent' };

async function examine(content: string | Buffer, { path = 'file.txt', before, search: changed, given }: Case = {}) {
  const fingerprints = given === undefined ? search.fingerprints : join(temporaryDirectory(), 'fingerprints');
  if (given !== undefined)
    await rememberSecrets(
      fingerprints,
      given.map((value) => Buffer.from(value)),
    );
  const scanner = await openSecretScanner({ ...search, fingerprints, ...changed });
  const recorded = before === undefined ? undefined : Buffer.from(before);
  return scanner.examine(path as BytePath, Buffer.from(content), async () => recorded);
}

test.each(Object.entries(secrets))('%s', async (_, [kind, text]) => {
  const filling = 'one line\nand another\n';
  const found = await examine(`${filling}${text}\n${filling}`, { path: 'a/.npmrc' });
  expect(found).toMatchObject({
    certain: true,
    detail: expect.stringMatching(new RegExp(`^looks like ${kind} \\(line [3-7]\\)`)),
  });
  for (const word of text.match(/[A-Za-z0-9]{12,}/g) ?? []) expect(found?.detail).not.toContain(word);
});

test('every rule of the preset has its place in the table, or is left out on purpose', async () => {
  expect([...presetTable.keys(), ...leftOut].toSorted()).toEqual([...(await presetNames())].toSorted());
  const kinds = new Set(Object.values(secrets).map(([kind]) => kind));
  expect([...presetTable.values()].map(({ kind }) => kind).filter((kind) => !kinds.has(kind))).toEqual([]);
});

const uuids = Array.from({ length: 50 }, (_, seed) => {
  const id = random(32, '0123456789abcdef', seed);
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
});
const harmless: Readonly<Record<string, string>> = {
  'a lock file': readFileSync(join(import.meta.dirname, '../../../../package-lock.json'), 'utf8'),
  'minified JavaScript': readFileSync(
    join(import.meta.dirname, '../../../../node_modules/zod/v4/locales/index.js'),
    'utf8',
  ).replaceAll(/\s+/g, ''),
  UUIDs: uuids.join('\n'),
  'a picture in a style sheet': `a { background: url(data:image/png;base64,${random(5000, undefined, 3)}=) }`,
  'hashes of files': uuids.map((id) => `sha512-${Buffer.from(id.repeat(2)).toString('base64')}`).join('\n'),
  'short stand-ins':
    'ghp_xxx sk-test-123 AKIA123 glpat-token npm_token xoxb-your-token xoxb-not-a-real-token sk-ant-...',
  'long stand-ins': `gh${'p'}_${'x'.repeat(36)} sk_${'live'}_${'0'.repeat(24)} glp${'at'}-${'abcdefgh'.repeat(3)}`,
  'the example of AWS': ['AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI', 'K7MDENG', 'bPxRfiCYEXAMPLEKEY'].join('/'),
  'AWS ids alone': `AWS_ACCOUNT_ID=123456789012 ${'AK'}IA${random(16).toUpperCase()}`,
  'a commit beside a key id': `AK${'IA'}${random(16, 'ABCDEFGHIJ')} ${random(40, '0123456789abcdef')}`,
  'a reference to a variable': `//packages.example.org/:_authToken=\${NPM_TOKEN}\nAWS_SECRET_ACCESS_KEY=$SECRET\n`,
  'the header of a key': `if (text.startsWith('-----BEGIN ${'PRIVATE'} KEY-----')) throw new Error(${'identifier'.repeat(9)})`,
  'a key with dots for its bytes': armoured('RSA PRIVATE KEY', 'MIIEpAIBAAKCAQEA...').replace('...', '…'),
  'a key of one letter': armoured('RSA PRIVATE KEY', 'A'.repeat(300)),
  'a public key': armoured('PUBLIC KEY', random(300)),
  'a certificate': armoured('CERTIFICATE', random(900)),
  'databases for tests': [
    'postgres://postgres:postgres@localhost:5432/test',
    `mysql://app:${random(12)}@db:3306/app`,
    'mongodb://user:secret@127.0.0.1/x',
    'postgresql://admin:admin@db.acme.io/x',
    `https://user:${random(9)}@example.com/`,
    `https://user:$${'{PASSWORD}'}@acme.io/`,
  ].join('\n'),
};

test.each(Object.entries(harmless))('not a secret: %s', async (_, text) => {
  expect(await examine(text, { path: 'a/.npmrc' })).toBeUndefined();
});

test('what the recorded version has does not count again; what is new beside it does', async () => {
  const before = `const token = '${githubToken}';\n`;
  expect(await examine(`// moved\n\n${before}`, { before })).toBeUndefined();
  expect(await examine(`${before}${awsEnvironment}`, { before })).toEqual({
    certain: true,
    detail: 'looks like an AWS secret access key (line 3)',
  });
});

test('several are counted', async () => {
  expect((await examine(`${githubToken}\n${awsEnvironment}`))?.detail).toBe(
    'looks like a GitHub token (line 1), and 1 more',
  );
});

test('binary files and large ones are not searched', async () => {
  expect(await examine(`\0${githubToken}`)).toBeUndefined();
  expect(await examine(githubToken.padEnd(2 ** 20, '\n'))).toBeDefined();
  expect(await examine(githubToken.padEnd(2 ** 20 + 1, '\n'))).toBeUndefined();
});

const contains = 'contains a secret that was given to an environment';

test('secrets that were given are looked for in everything, allowed or not', async () => {
  const facts = { given: ['correct horse', 'short', ''], search: { allow: ['*'] } };
  expect(await examine('the correct horse\nis short', facts)).toEqual({
    certain: true,
    detail: `${contains} (line 1)`,
  });
  expect((await examine('\0\n\ncorrect horse', facts))?.detail).toBe(contains);
  expect((await examine(`${'x'.repeat(2 ** 21)}\ncorrect horse`, facts))?.detail).toBe(`${contains} (line 2)`);
  expect(await examine('short', facts)).toBeUndefined();
  expect(await examine('a correct horse', { ...facts, before: 'correct horse' })).toBeUndefined();
  expect(await examine('nothing', { ...facts, path: 'notes/correct horse.txt' })).toBeDefined();
});

test('a secret of many lines counts once, and each of its lines counts', async () => {
  const given = ['-----BEGIN-----\nfirst line\nsecond line\n-----END-----\n'];
  expect((await examine(given[0] ?? '', { given }))?.detail).toBe(`${contains} (line 1)`);
  expect((await examine('a\n  second line\r\n', { given }))?.detail).toBe(`${contains} (line 2)`);
});

test.each([
  ['test/keys/', 'test/keys/deep/a.pem', true],
  ['/test/*.pem', 'test/a.pem', true],
  ['*.pem', 'any/where/a.pem', true],
  ['test/keys/', 'other/test/keys/a.pem', false],
  ['*.pem', 'a.pem.bak', false],
  ['gr\u00fc\u00dfe.txt', Buffer.from('gr\u00fc\u00dfe.txt').toString('latin1'), true],
])('allowing %s: %s', async (pattern, path, allowed) => {
  const found = await examine(awsEnvironment, { path, search: { allow: [pattern] } });
  expect(found === undefined).toBe(allowed);
});

test('an allowed path can be taken out again', async () => {
  const search = { allow: ['*.env', '!real.env'] };
  expect(await examine(awsEnvironment, { path: 'test.env', search })).toBeUndefined();
  expect(await examine(awsEnvironment, { path: 'real.env', search })).toBeDefined();
});

test('switched off', async () => {
  const off = { patterns: 'off' } as const;
  expect(await examine(awsEnvironment, { search: off })).toBeUndefined();
  // A secret that was given is one for certain.
  expect(await examine('the correct horse', { search: off, given: ['correct horse'] })).toBeDefined();
});

test('a search that fails lets nothing through, and says nothing of the content', async () => {
  const scanner = await openSecretScanner(search);
  const broken = async () => {
    throw new RangeError(awsSecret);
  };
  const found = await scanner.examine('a' as BytePath, Buffer.from(awsEnvironment), broken);
  expect(found).toEqual({ certain: false, detail: 'could not be searched for secrets (RangeError)' });
});

test('the rules are not loaded for a file without a trace of a secret', async () => {
  const loaded = vi.fn();
  vi.resetModules();
  vi.doMock('../../../../src/git/checkpoint/secrets/preset-rules.ts', () => {
    loaded();
    return { presetFindings: async () => [] };
  });
  const anew = await import('../../../../src/git/checkpoint/secrets/scanner.ts');
  const scanner = await anew.openSecretScanner(search);
  const none = async () => undefined;
  await scanner.examine('a' as BytePath, Buffer.from(harmless['a lock file'] ?? ''), none);
  expect(loaded).not.toHaveBeenCalled();
  await scanner.examine('a' as BytePath, Buffer.from(awsEnvironment), none);
  expect(loaded).toHaveBeenCalledOnce();
  vi.doUnmock('../../../../src/git/checkpoint/secrets/preset-rules.ts');
});
