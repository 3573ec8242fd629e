import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { registryOf } from '../../../src/runtime/docker/credentials.ts';
import { isLocalReference } from '../../../src/runtime/docker/engine-error.ts';
import { withTag } from '../../../src/runtime/docker/images.ts';
import { readFirstFile, writeFiles } from '../../../src/runtime/docker/tar-entry.ts';
import { temporaryDirectory } from '../../support/repository.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('image references', () => {
  test.each([
    ['node', 'node:latest'],
    ['node:22', 'node:22'],
    ['host:5000/node', 'host:5000/node:latest'],
    ['host:5000/node:22', 'host:5000/node:22'],
    [`node@${digest}`, `node@${digest}`],
  ])('%s is pulled as %s', (reference, expected) => {
    expect(withTag(reference)).toBe(expected);
  });

  test.each([
    ['node', undefined],
    ['library/node', undefined],
    ['images.example.org/a/b', 'images.example.org'],
    ['host:5000/b', 'host:5000'],
    ['localhost/b', 'localhost'],
  ])('%s belongs to %s', (reference, registry) => {
    expect(registryOf(reference)).toBe(registry);
  });

  test.each([
    ['localhost:5999/x', true],
    ['localhost/x', true],
    ['localhost.example/x', false],
    ['node', false],
  ])('%s is local: %s', (reference, local) => {
    expect(isLocalReference(reference)).toBe(local);
  });
});

describe('small archives', () => {
  test('tar reads what we write', () => {
    const directory = temporaryDirectory();
    const input = writeFiles({ 'etc/passwd': 'root:x:0:0\n', empty: '', 'etc/umlaut': 'ä'.repeat(600) });
    execFileSync('tar', ['-x', '-C', directory], { input });
    const read = (name: string) => execFileSync('cat', [name], { cwd: directory, encoding: 'utf8' });
    expect([read('etc/passwd'), read('empty'), read('etc/umlaut')]).toEqual(['root:x:0:0\n', '', 'ä'.repeat(600)]);
    expect(execFileSync('tar', ['-tv'], { input, encoding: 'utf8' }).split('\n')[0]).toMatch(/^-rw-r--r-- 0\/0 +11 /);
  });

  test('we read what tar writes, and only files', () => {
    const directory = temporaryDirectory();
    execFileSync('sh', ['-c', 'echo content > file; ln -s file link'], { cwd: directory });
    const archive = (name: string) => execFileSync('tar', ['-c', name], { cwd: directory });
    expect(readFirstFile(archive('file'))).toBe('content\n');
    expect(readFirstFile(archive('link'))).toBeUndefined();
  });
});
