/** New content of Git LFS is recorded as the real git-lfs would: the same tree, the same store, and git-lfs can push it. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { githubToken } from '../checkpoint/secrets/made-up.ts';
import { makeEnvironment } from '../checkpoint/support.ts';

const attributes = '*.bin filter=lfs diff=lfs merge=lfs -text\n*.txt filter=lfs text eol=crlf\n';
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
const objectOf = (common: string, hash: string) =>
  join(common, 'lfs/objects', hash.slice(0, 2), hash.slice(2, 4), hash);

function scene(files: Record<string, string> = {}) {
  const environment = makeEnvironment({ files: { '.gitattributes': attributes, ...files } });
  const common = join(environment.repository.path, '.git');
  return { ...environment, common, object: (content: string | Buffer) => objectOf(common, sha256(content)) };
}

test('the tree and the stored content are those of real git-lfs, which finds nothing to complain about', async () => {
  const { repository, open, write, tipTree, nativeTree, common, object } = scene();
  const contents = {
    'a.bin': 'binary\0content\n',
    'sub/ü b.bin': Buffer.alloc(5000, 7),
    'crlf.txt': 'one\r\ntwo\r\n',
    'empty.bin': '',
    'pointer.bin': `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256('binary\0content\n')}\nsize 15\n`,
    'plain.md': 'text\n',
  };
  write(contents);
  const checkpointer = await open({ lfs: true, limits: { fileBytes: 4000 } });
  expect((await checkpointer.checkpoint({ cause: 'edit' })).held).toEqual([]);
  const stored = [contents['a.bin'], contents['sub/ü b.bin'], contents['crlf.txt']];
  for (const content of stored) expect(readFileSync(object(content)).equals(Buffer.from(content))).toBe(true);
  expect(readdirSync(join(common, 'lfs/tmp'))).toEqual([]);
  repository.git('checkout', '-q', 'coppice/demo');
  expect(repository.git('lfs', 'fsck', '--objects', 'HEAD~1..HEAD')).toContain('OK');
  expect(repository.git('lfs', 'ls-files', '--name-only').split('\n').sort()).toEqual(
    ['a.bin', 'crlf.txt', 'pointer.bin', 'sub/ü b.bin'].sort(),
  );
  rmSync(join(common, 'lfs'), { recursive: true });
  repository.git('lfs', 'install', '--local', '--skip-smudge');
  expect(tipTree()).toBe(nativeTree());
  for (const content of stored) expect(existsSync(object(content))).toBe(true);
});

test('what has not changed is no change, a new version is a new pointer, and the old content stays', async () => {
  const { open, write, repository, object, tip } = scene();
  const checkpointer = await open({ lfs: true });
  write({ 'a.bin': 'one' });
  await checkpointer.checkpoint({ cause: 'edit' });
  const first = tip();
  write({ 'a.bin': 'one' });
  const again = await checkpointer.checkpoint({ cause: 'edit', rehash: true });
  expect([again.checkpoint, tip()]).toEqual([undefined, first]);
  write({ 'a.bin': 'two' });
  await checkpointer.checkpoint({ cause: 'edit', paths: ['a.bin' as BytePath] });
  expect(repository.git('show', 'coppice/demo:a.bin')).toContain(`oid sha256:${sha256('two')}\nsize 3`);
  for (const content of ['one', 'two']) expect(readFileSync(object(content), 'utf8')).toBe(content);
});

test('without git-lfs, beyond its limit, with a secret, or with extensions, content is held and not stored', async () => {
  const { open, write, repository, common, tip } = scene();
  const before = tip();
  write({ 'a.bin': 'x'.repeat(100) });
  const reasons = async (options: Parameters<typeof open>[0]) => {
    const checkpointer = await open(options);
    const { held } = await checkpointer.checkpoint({ cause: 'edit' });
    await checkpointer.close();
    return held.map(({ path, reason }) => `${reason} ${path}`);
  };
  expect(await reasons({})).toEqual(['filter-missing a.bin']);
  expect(await reasons({ lfs: true, limits: { fileBytes: 10, lfsBytes: 50 } })).toEqual(['too-large a.bin']);
  repository.git('config', 'lfs.extension.caesar.clean', 'tr a-z b-za');
  expect(await reasons({ lfs: true })).toEqual(['filter-missing a.bin']);
  repository.git('config', '--unset', 'lfs.extension.caesar.clean');
  writeFileSync(join(repository.directory, 'tree/a.bin'), githubToken);
  expect(await reasons({ lfs: true })).toEqual(['secret a.bin']);
  expect(tip()).toBe(before);
  expect(existsSync(join(common, 'lfs/objects'))).toBe(false);
});
