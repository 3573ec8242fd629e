/**
 * What every watcher promises, and no more: after a burst each changed path, or a directory above it, has been hinted
 * (or the watcher has said that it degraded); and no directory is blind afterwards.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type BytePath, bytePathFromText } from '../../src/domain/byte-path.ts';
import type { Watch, Watcher } from '../../src/watch/watch.ts';
import { eventually } from '../support/eventually.ts';
import { makeRepository, temporaryDirectory } from '../support/repository.ts';

export interface Observed {
  readonly root: string;
  readonly watch: Watch;
  readonly degraded: readonly string[];
  readonly hints: ReadonlySet<string>;
  /** Resolves when each path, or a directory above it, has been hinted since the last `forget`. */
  hinted(...paths: readonly string[]): Promise<void>;
  forget(): void;
}

export async function observe(
  watcher: Watcher,
  root: string,
  ignored: (directory: BytePath) => boolean = () => false,
): Promise<Observed> {
  const hints = new Set<string>();
  const degraded: string[] = [];
  const watch = await watcher.watch({
    root,
    ignored,
    onHint: (path) => void hints.add(path),
    onDegraded: (reason) => void degraded.push(reason),
  });
  onTestFinished(() => watch.close());
  const covered = (path: string) =>
    hints.has('') || ancestors(bytePathFromText(path)).some((ancestor) => hints.has(ancestor));
  return {
    root,
    watch,
    degraded,
    hints,
    forget: () => hints.clear(),
    hinted: (...paths) =>
      eventually(
        () => degraded.length > 0 || paths.every(covered),
        () => `never hinted: ${paths.filter((path) => !covered(path)).slice(0, 5)} (of ${paths.length})`,
      ),
  };
}

function ancestors(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Writes a new file into each directory and waits for hints that can only come from these. */
async function noneIsBlind(observed: Observed, directories: readonly string[], round: string): Promise<void> {
  const files = directories.map((directory) => join(directory, `later-${round}`));
  // A watcher may still be settling on what came before. Write until it notices: a blind one never does.
  await eventually(
    () => {
      for (const file of files)
        if (!observed.hints.has(bytePathFromText(file)))
          writeFileSync(join(observed.root, file), `${performance.now()}`);
      return observed.degraded.length > 0 || files.every((file) => observed.hints.has(bytePathFromText(file)));
    },
    () =>
      `blind: ${files.filter((file) => !observed.hints.has(bytePathFromText(file))).slice(0, 5)} (of ${files.length})`,
  );
}

export function watcherContract(name: string, make: () => Watcher): void {
  describe(`${name} hints`, () => {
    const start = async (prepare: (root: string) => void = () => undefined) => {
      const root = temporaryDirectory();
      prepare(root);
      return await observe(make(), root);
    };

    test('a written, removed and renamed file, a mode, a link, odd names', async () => {
      const observed = await start((root) => {
        mkdirSync(join(root, 'src'));
        for (const file of ['write', 'remove', 'rename', 'mode']) writeFileSync(join(root, 'src', file), 'x');
      });
      const at = (path: string) => join(observed.root, path);
      writeFileSync(at('src/write'), 'y');
      rmSync(at('src/remove'));
      renameSync(at('src/rename'), at('src/renamed'));
      chmodSync(at('src/mode'), 0o755);
      symlinkSync('nowhere', at('src/dangling'));
      writeFileSync(at('src/backup~'), 'x');
      writeFileSync(at('src/größe'), 'x');
      await observed.hinted(
        ...['write', 'remove', 'rename', 'renamed', 'mode', 'dangling', 'backup~', 'größe'].map(
          (file) => `src/${file}`,
        ),
      );
    });

    test('directories made with a file at once, at any depth', async () => {
      const observed = await start();
      const directories = Array.from({ length: 60 }, (_, index) => `n${index}/a/b/c`);
      for (const directory of directories) {
        mkdirSync(join(observed.root, directory), { recursive: true });
        writeFileSync(join(observed.root, directory, 'instant'), 'x');
      }
      await observed.hinted(...directories.map((directory) => `${directory}/instant`));
      await noneIsBlind(observed, directories, 'nested');
    });

    test('a directory removed and made again at once', async () => {
      const directories = Array.from({ length: 10 }, (_, index) => `d${index}`);
      const observed = await start((root) => {
        for (const directory of directories) mkdirSync(join(root, directory, 'sub'), { recursive: true });
      });
      for (const directory of directories) {
        const path = join(observed.root, directory);
        rmSync(path, { recursive: true });
        mkdirSync(join(path, 'sub'), { recursive: true });
        writeFileSync(join(path, 'again'), 'x');
      }
      await observed.hinted(...directories.map((directory) => `${directory}/again`));
      await noneIsBlind(
        observed,
        directories.flatMap((directory) => [directory, `${directory}/sub`]),
        'again',
      );
    });

    test('a renamed directory under its new name, also when another takes the old one', async () => {
      const observed = await start((root) => mkdirSync(join(root, 'old/inner'), { recursive: true }));
      renameSync(join(observed.root, 'old'), join(observed.root, 'new'));
      mkdirSync(join(observed.root, 'old/inner'), { recursive: true });
      await observed.hinted('new/inner', 'old/inner');
      await noneIsBlind(observed, ['new', 'new/inner', 'old', 'old/inner'], 'renamed');
    });

    test('a directory moved in from outside, and nothing of one moved out', async () => {
      const outside = temporaryDirectory();
      mkdirSync(join(outside, 'in/deep'), { recursive: true });
      const observed = await start((root) => mkdirSync(join(root, 'out')));
      renameSync(join(outside, 'in'), join(observed.root, 'in'));
      renameSync(join(observed.root, 'out'), join(outside, 'out'));
      await observed.hinted('in', 'out');
      await noneIsBlind(observed, ['in', 'in/deep'], 'moved');
    });

    test('an archive unpacked, and the tree removed', async () => {
      const observed = await start();
      const directories = Array.from({ length: 40 }, (_, index) => `pkg/d${index % 8}/e${index}`);
      const archive = join(temporaryDirectory(), 'burst.tar');
      const source = temporaryDirectory();
      for (const directory of directories) {
        mkdirSync(join(source, directory), { recursive: true });
        for (let file = 0; file < 10; file++) writeFileSync(join(source, directory, `f${file}`), `${file}`);
      }
      execFileSync('tar', ['-cf', archive, '-C', source, 'pkg']);
      execFileSync('tar', ['-xf', archive, '-C', observed.root]);
      await observed.hinted(...directories.map((directory) => `${directory}/f9`));
      await noneIsBlind(observed, directories, 'unpacked');
      observed.forget();
      rmSync(join(observed.root, 'pkg'), { recursive: true });
      await observed.hinted('pkg');
    });

    test('every path that a git checkout switches', async () => {
      const repository = makeRepository();
      const files = Array.from({ length: 200 }, (_, index) => `lib/m${index % 20}/f${index}.ts`);
      repository.git('checkout', '-q', '-b', 'other');
      repository.commit('many', Object.fromEntries(files.map((file) => [file, file])));
      repository.git('checkout', '-q', 'main');
      const observed = await observe(make(), repository.path, (directory) => directory === '.git');
      repository.git('checkout', '-q', 'other');
      await observed.hinted(...files);
      await noneIsBlind(observed, ['lib/m0', 'lib/m19'], 'switched');
      expect([...observed.hints].filter((hint) => hint.startsWith('.git/'))).toEqual([]);
    });

    test('nothing in ignored directories, and never goes through a link', async () => {
      const outside = temporaryDirectory();
      mkdirSync(join(outside, 'target'));
      const root = temporaryDirectory();
      mkdirSync(join(root, 'node_modules/package'), { recursive: true });
      mkdirSync(join(root, 'src'));
      symlinkSync(join(outside, 'target'), join(root, 'src/link'));
      const observed = await observe(make(), root, (directory) => directory.endsWith('node_modules'));
      expect(observed.watch.size).toBe(2);
      symlinkSync(join(outside, 'target'), join(root, 'another'));
      mkdirSync(join(root, 'src/node_modules/new'), { recursive: true });
      await observed.hinted('another', 'src/node_modules');
      writeFileSync(join(root, 'node_modules/package/index.js'), 'x');
      writeFileSync(join(root, 'src/node_modules/new/index.js'), 'x');
      writeFileSync(join(outside, 'target/file'), 'x');
      await noneIsBlind(
        observed,
        ['.', 'src'].map((path) => (path === '.' ? '' : path)),
        'ignored',
      );
      expect(observed.watch.size).toBe(2);
      expect([...observed.hints].filter((hint) => hint.endsWith('index.js') || hint.endsWith('/file'))).toEqual([]);
    });

    test('nothing after it is closed, and keeps no watch', async () => {
      const observed = await start((root) => mkdirSync(join(root, 'a/b'), { recursive: true }));
      await observed.watch.close();
      observed.forget();
      writeFileSync(join(observed.root, 'a/b/file'), 'x');
      const fresh = await observe(make(), observed.root);
      writeFileSync(join(observed.root, 'a/b/file'), 'y');
      await fresh.hinted('a/b/file');
      expect([...observed.hints]).toEqual([]);
      expect(observed.watch.size).toBe(0);
    });

    test('that it degraded, once, when the root is not a directory', async () => {
      const observed = await observe(make(), join(temporaryDirectory(), 'absent'));
      expect(observed.degraded).toHaveLength(1);
      expect(observed.watch.size).toBe(0);
    });
  });
}
