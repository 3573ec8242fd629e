/** Writes into a tree while somebody tries to lead us out of it. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BytePath, bytePathFromText } from '../../src/domain/byte-path.ts';
import { closeDirectory, openTree } from '../../src/platform/tree-reader.ts';
import { moveInto, removeFrom } from '../../src/platform/tree-writer.ts';
import { temporaryDirectory, writeFiles } from '../support/repository.ts';

function setUp() {
  const directory = temporaryDirectory();
  const [tree, outside] = [join(directory, 'tree'), join(directory, 'outside')];
  mkdirSync(tree);
  writeFiles(outside, { file: 'untouched\n' });
  const descriptor = openTree(tree);
  onTestFinished(() => closeDirectory(descriptor));
  const source = join(directory, 'source');
  const put = (path: string, content = 'new\n') => {
    writeFileSync(source, content);
    return moveInto(descriptor, bytePathFromText(path), Buffer.from(source));
  };
  const remove = (path: string) => removeFrom(descriptor, bytePathFromText(path));
  return {
    directory,
    tree,
    outside,
    descriptor,
    source,
    put,
    remove,
    text: (path: string) => readFileSync(join(tree, path), 'utf8'),
  };
}

describe('moveInto', () => {
  it('makes directories, replaces files and links, keeps modes', () => {
    const { tree, descriptor, source, put, text, outside } = setUp();
    writeFiles(tree, { file: 'old\n', link: { link: '../outside/file' } });
    expect([put('a/b/c'), put('file'), put('link'), put('ümlaut/x')]).toEqual(Array(4).fill(undefined));
    expect([text('a/b/c'), text('file'), text('link'), text('ümlaut/x')]).toEqual(Array(4).fill('new\n'));
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('untouched\n');
    writeFileSync(source, 'run\n');
    chmodSync(source, 0o755);
    expect(moveInto(descriptor, bytePathFromText('run'), Buffer.from(source))).toBe(undefined);
    expect(lstatSync(join(tree, 'run')).mode & 0o777).toBe(0o755);
    symlinkSync('/nowhere', source);
    expect(moveInto(descriptor, bytePathFromText('run'), Buffer.from(source))).toBe(undefined);
    expect(readlinkSync(join(tree, 'run'))).toBe('/nowhere');
    writeFileSync(source, 'odd name\n');
    expect(moveInto(descriptor, 'odd\xff' as BytePath, Buffer.from(source))).toBe(undefined);
    expect(readdirSync(tree, { encoding: 'latin1' })).toContain('odd\xff');
  });

  it('puts a directory where a link or a file stood, and never goes through the link', () => {
    const { tree, outside, put, text } = setUp();
    writeFiles(tree, { a: { link: '../outside' }, b: 'file\n', c: { link: '.' } });
    expect([put('a/file'), put('a/x/y'), put('b/file'), put('c/c/c')]).toEqual(Array(4).fill(undefined));
    expect([text('a/file'), text('a/x/y'), text('b/file'), text('c/c/c')]).toEqual(Array(4).fill('new\n'));
    expect(readdirSync(outside)).toEqual(['file']);
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('untouched\n');
  });

  it('replaces a directory only when there is nothing in it', () => {
    const { tree, put, text } = setUp();
    mkdirSync(join(tree, 'empty/deep/er'), { recursive: true });
    writeFiles(tree, { 'full/deep/file': 'kept\n', 'links/x': { link: '/' } });
    expect(put('empty')).toBe(undefined);
    expect(put('full')).toBe('in-the-way');
    expect(put('links')).toBe('in-the-way');
    expect([text('empty'), text('full/deep/file')]).toEqual(['new\n', 'kept\n']);
    expect(readlinkSync(join(tree, 'links/x'))).toBe('/');
  });

  it.each(['../x', 'a/../../x', '/x', 'a//x', '.', '', 'a/.', '.git', 'a/.git/config', 'a\0b'])(
    'takes %j for a bug',
    (path) => {
      const { directory, put, remove } = setUp();
      const before = readdirSync(directory);
      expect(() => put(path)).toThrow(expect.objectContaining({ kind: 'bug', code: 'bad-tree-path' }));
      expect(() => remove(path)).toThrow(expect.objectContaining({ code: 'bad-tree-path' }));
      expect(readdirSync(directory)).toEqual([...before, 'source'].sort());
    },
  );
});

describe('removeFrom', () => {
  it('removes files and links, and the directories that get empty', () => {
    const { tree, outside, remove } = setUp();
    writeFiles(tree, { 'a/b/c': 'c\n', 'a/d': 'd\n', 'e/f/link': { link: '../../../outside' }, file: 'f\n' });
    expect(['a/b/c', 'e/f/link', 'file', 'missing', 'missing/x', 'file/x'].map(remove)).toEqual(
      Array(6).fill(undefined),
    );
    expect(readdirSync(tree)).toEqual(['a']);
    expect(readdirSync(join(tree, 'a'))).toEqual(['d']);
    expect(readdirSync(outside)).toEqual(['file']);
  });

  it('goes through no link and takes no directory', () => {
    const { tree, outside, remove } = setUp();
    writeFiles(tree, { link: { link: '../outside' }, 'directory/file': 'kept\n' });
    expect(remove('link/file')).toBe(undefined);
    expect(remove('directory')).toBe('in-the-way');
    expect(existsSync(join(outside, 'file'))).toBe(true);
    expect(existsSync(join(tree, 'directory/file'))).toBe(true);
  });
});

describe('while a directory is swapped for a link all the time', () => {
  /** In another process, as fast as it can: `swap` is a directory, then a link that leads outside, then again. */
  function startSwapping(tree: string): Promise<() => Promise<void>> {
    const script = `
      const { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync } = require('node:fs');
      const step = (body) => { try { body(); } catch (error) { if (!error.code) throw error; } };
      mkdirSync('swap');
      process.stdout.write('ready');
      for (let n = 0; ; n += 1) {
        step(() => renameSync('swap', 'old-' + n));
        step(() => symlinkSync('../outside', 'swap'));
        step(() => unlinkSync('swap'));
        step(() => renameSync('old-' + n, 'swap'));
        step(() => rmSync('old-' + n, { recursive: true, force: true }));
      }`;
    const child = spawn(process.execPath, ['-e', script], { cwd: tree, stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const stop = () => {
      child.kill('SIGKILL');
      return closed;
    };
    onTestFinished(stop);
    return new Promise((resolve) => child.stdout.once('data', () => resolve(stop)));
  }

  it('nothing outside is written, replaced or deleted', async () => {
    const { tree, outside, put, remove } = setUp();
    const stop = await startSwapping(tree);
    const outcomes = new Set<string>();
    for (let round = 0; round < 2000; round += 1) {
      outcomes.add(`put ${put('swap/file')}`);
      outcomes.add(`put ${put(`swap/new/${round % 7}`)}`);
      outcomes.add(`remove ${remove('swap/file')}`);
    }
    await stop();
    expect(readdirSync(outside)).toEqual(['file']);
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('untouched\n');
    expect(outcomes).toContain('put undefined');
    // What went wrong went wrong in a way we know.
    expect([...outcomes].filter((outcome) => !/ (undefined|in-the-way)$/.test(outcome))).toEqual([]);
  });
});
