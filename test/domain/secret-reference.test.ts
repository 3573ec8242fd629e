import { expect, it } from 'vitest';
import { isSecretName, parseSecretReference } from '../../src/domain/secret-reference.ts';
import { quoted } from '../../src/domain/visible.ts';

it.each([
  ['env:NPM_TOKEN', { kind: 'env', variable: 'NPM_TOKEN' }],
  ['file:~/a b', { kind: 'file', path: '~/a b' }],
  ['op://Team/npm/token', { kind: 'op', reference: 'op://Team/npm/token' }],
  ['vault:secret/app#token', { kind: 'vault', path: 'secret/app', field: 'token' }],
  ['command:pass show npm: x', { kind: 'command', command: 'pass show npm: x' }],
])('%s', (text, reference) => {
  expect(parseSecretReference(text)).toEqual(reference);
});

it.each([
  '',
  'ghp_abc',
  'env:',
  'env:A-B',
  'op:x',
  'op://a/b',
  'vault:a',
  'vault:-x#f',
  'vault:a#-f x',
  'command: ',
  'other:x',
  'file:a\0b',
])('is no reference: %j', (text) => {
  expect(parseSecretReference(text)).toBeUndefined();
});

it('a secret can be any variable that a shell lets one set, but none of coppice’s', () => {
  expect(['NPM_TOKEN', '_a1'].filter(isSecretName)).toHaveLength(2);
  expect(['', 'A-B', '1A', 'UID', 'PATH', 'COPPICE_WORKSPACE', 'A B', 'A\n'].filter(isSecretName)).toEqual([]);
});

it('shows what hides itself, and never the same for two texts', () => {
  expect(quoted('a\x1b[2Jb\n')).toBe('"a\\u001b[2Jb\\n"');
  expect(quoted('x\u202egnp.exe\u200b\u00a0')).toBe('"x\\u{202e}gnp.exe\\u{200b}\\u{a0}"');
  expect(quoted('\\u{202e}')).not.toBe(quoted('\u202e'));
  expect(quoted('grüße 日本 "x"')).toBe('"grüße 日本 \\"x\\""');
});
