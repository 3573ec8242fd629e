/** A file with a secret is held, released when it is clean, and never in any object of the repository. */
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rememberSecrets } from '../../../src/config/fingerprint-file.ts';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { formsOf } from '../../../src/domain/secret-forms.ts';
import type { CheckpointResult } from '../../../src/git/checkpointer.ts';
import { awsEnvironment, awsSecret, githubToken } from './secrets/made-up.ts';
import { aged, makeEnvironment, type TestEnvironment } from './support.ts';

const summary = ({ changes, held }: CheckpointResult) => ({
  changed: changes.map(({ path }) => path),
  held: held.map(({ path, reason }) => `${reason} ${path}`),
});

/** Every object there is, reachable or not, in packs or loose. */
function allObjects({ repository }: TestEnvironment): string {
  return execFileSync('git', ['cat-file', '--batch-all-objects', '--batch', '--unordered'], {
    cwd: repository.path,
    env: repository.env,
    maxBuffer: 2 ** 28,
  }).toString('latin1');
}

test('held with its kind and line, the rest goes in; released once it is clean; in no object meanwhile', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  environment.write({ '.env': `# keys\n${awsEnvironment}`, 'src/a.ts': 'export {};\n' });
  const first = await checkpointer.checkpoint({ cause: 'edit' });
  expect(summary(first)).toEqual({ changed: ['src/a.ts'], held: ['secret .env'] });
  expect(first.held[0]?.detail).toBe('looks like an AWS secret access key (line 3)');
  expect(summary(await checkpointer.checkpoint({ cause: 'reconcile' }))).toEqual({
    changed: [],
    held: ['secret .env'],
  });
  expect(allObjects(environment)).toContain('export {};');
  expect(allObjects(environment)).not.toContain(awsSecret);
  environment.write({ '.env': '# keys\n' });
  const clean = await checkpointer.checkpoint({ cause: 'edit', paths: ['.env' as BytePath] });
  expect(summary(clean)).toEqual({ changed: ['.env'], held: [] });
  expect(environment.tipTree()).toBe(environment.nativeTree());
  expect(allObjects(environment)).not.toContain(awsSecret);
});

test('released when it is ignored, removed or allowed', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  environment.write({ ignored: awsEnvironment, removed: awsEnvironment, 'keys/allowed': githubToken });
  const first = await checkpointer.checkpoint({ cause: 'edit' });
  expect(summary(first).held).toEqual(['secret ignored', 'secret keys/allowed', 'secret removed']);
  environment.write({ '.gitignore': 'ignored\n' });
  rmSync(join(environment.tree, 'removed'));
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' })).held).toEqual(['secret keys/allowed']);
  await checkpointer.close();
  const allowing = await environment.open({ secrets: { allow: ['keys/'] } });
  expect(summary(await allowing.checkpoint({ cause: 'edit' }))).toEqual({ changed: ['keys/allowed'], held: [] });
  expect(environment.tipTree()).toBe(environment.nativeTree());
});

test('a recorded file keeps its version while it holds a secret; its other changes wait with it', async () => {
  const environment = makeEnvironment({ files: { 'config.json': '{}\n' } });
  const checkpointer = await environment.open();
  environment.write({ 'config.json': `{"token":"${githubToken}"}\n` });
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' }))).toEqual({
    changed: [],
    held: ['secret config.json'],
  });
  expect(environment.repository.git('show', 'coppice/demo:config.json')).toBe('{}');
  environment.write({ 'config.json': '{"token":""}\n' });
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' }))).toEqual({ changed: ['config.json'], held: [] });
});

test('what a file had before does not hold it: fixtures can be changed, copied and renamed', async () => {
  const kept = `${githubToken}\nas it is\n`;
  const files = { 'test/key': githubToken, 'test/kept': kept, 'test/other': awsEnvironment };
  const environment = makeEnvironment({ files });
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  environment.write({ 'test/key': `${githubToken}\nchanged\n`, 'test/copy': kept });
  renameSync(join(environment.tree, 'test/other'), join(environment.tree, 'test/renamed'));
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' }))).toEqual({
    changed: ['test/copy', 'test/key', 'test/other', 'test/renamed'],
    held: [],
  });
  environment.write({ 'test/key': `${githubToken}\n${awsEnvironment}` });
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' })).held).toEqual(['secret test/key']);
});

test('a new process holds it again', async () => {
  const environment = makeEnvironment();
  const first = await environment.open();
  environment.write({ '.env': awsEnvironment });
  await aged();
  await first.checkpoint({ cause: 'edit' });
  await first.close();
  const second = await environment.open();
  expect(summary(await second.checkpoint({ cause: 'reconcile' }))).toEqual({ changed: [], held: ['secret .env'] });
  expect(allObjects(environment)).not.toContain(awsSecret);
});

test('secrets that were given are held wherever they stand, in links and names too, by who never saw them', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  environment.write({ before: 'the correct horse battery' });
  await checkpointer.checkpoint({ cause: 'edit' });
  const value = Buffer.from('correct horse battery');
  await rememberSecrets(environment.request.secrets.fingerprints, [value]);
  environment.write({
    text: 'the correct horse battery',
    encoded: Buffer.from('xx-correct horse battery').toString('base64'),
    link: { link: 'correct horse battery' },
    'correct horse battery.txt': 'a name',
    before: 'the correct horse battery, as before',
    fine: 'staple',
  });
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' }))).toEqual({
    changed: ['before', 'fine'],
    held: ['secret correct horse battery.txt', 'secret encoded', 'secret link', 'secret text'],
  });
  const kept = readFileSync(environment.request.secrets.fingerprints);
  for (const { bytes } of formsOf(value)) expect(kept.includes(bytes)).toBe(false);
  expect(statSync(environment.request.secrets.fingerprints).mode & 0o777).toBe(0o600);
});

test('switched off, nothing is held', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open({ secrets: { patterns: 'off' } });
  environment.write({ '.env': awsEnvironment });
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' }))).toEqual({ changed: ['.env'], held: [] });
});

test('written clean again in the same moment, it is looked at again', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  environment.write({ a: awsEnvironment });
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' })).held).toEqual(['secret a']);
  environment.write({ a: '#'.repeat(awsEnvironment.length) });
  expect(summary(await checkpointer.checkpoint({ cause: 'edit' }))).toEqual({ changed: ['a'], held: [] });
});
