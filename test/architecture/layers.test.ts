/** The direction of imports, as DESIGN draws it: the inside never knows the outside, adapters never know one another. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const source = resolve(import.meta.dirname, '../../src');

/** What each folder may import from, besides itself. Files of interfaces only are listed by name below. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  platform: ['domain'],
  git: ['domain', 'platform'],
  runtime: ['domain', 'platform'],
  gateway: ['domain'],
  watch: ['domain', 'platform'],
  config: ['domain', 'platform'],
  forge: ['domain', 'platform'],
  environment: ['domain', 'platform'],
  operations: ['domain', 'platform', 'environment'],
  daemon: ['domain', 'platform', 'watch'],
  mcp: ['domain', 'platform', 'environment', 'operations', '.'],
  cli: ['domain', 'platform', 'environment', 'operations', 'daemon', '.'],
};

/** Interfaces: adapters implement them, operations see nothing else. */
const interfaces = new Set([
  'git/repository.ts',
  'git/merging.ts',
  'git/worktree.ts',
  'git/transport.ts',
  'git/checkpointer.ts',
  'git/leaks.ts',
  'runtime/runtime.ts',
  'watch/watch.ts',
  'forge/forge.ts',
]);

/** What a program of ours and those who start it have agreed on. */
const contracts = new Set(['gateway/configuration.ts']);

/** The files that join interfaces to adapters. */
const joiners = /^(open|open-[a-z-]+|index|version)\.ts$/;

function files(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
}

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?['"](\.{1,2}\/[^'"]+)['"]/g)].map(([, target = '']) =>
    relative(source, resolve(source, dirname(file), target)),
  );
}

const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] ?? '') : '.');

describe('layers', () => {
  it.each(files(source).filter((file) => !joiners.test(file)))('%s imports only what its layer may', (file) => {
    const folder = folderOf(file);
    const may = new Set([folder, ...(allowed[folder] ?? [])]);
    const wrong = importsOf(file).filter(
      (target) =>
        !may.has(folderOf(target)) &&
        !(['environment', 'operations'].includes(folder) && interfaces.has(target)) &&
        !(folder === 'runtime' && contracts.has(target)),
    );
    expect(wrong).toEqual([]);
  });

  it('starts processes in one place only', () => {
    const starters = files(source).filter((file) =>
      /node:child_process/.test(readFileSync(join(source, file), 'utf8')),
    );
    expect(starters).toEqual(['platform/process.ts']);
  });

  it('reads process.env in surfaces only', () => {
    const code = (file: string) => readFileSync(join(source, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    const readers = files(source).filter((file) => /process\.env\b/.test(code(file)));
    expect(readers.filter((file) => !/^(cli|index\.ts)/.test(file))).toEqual([]);
  });

  it('keeps vendor types inside their adapters', () => {
    const owners: Readonly<Record<string, RegExp>> = {
      dockerode: /^runtime\/docker\//,
      'docker-modem': /^runtime\/docker\//,
      chokidar: /^watch\//,
      commander: /^cli\//,
      'isomorphic-git': /^git\//,
      diff: /^(git|operations|web)\//,
      '@modelcontextprotocol': /^mcp\//,
    };
    const strays = files(source).flatMap((file) => {
      const text = readFileSync(join(source, file), 'utf8');
      return Object.entries(owners)
        .filter(([name, owner]) => !owner.test(file) && new RegExp(`(from|import\\()\\s*['"]${name}['"/]`).test(text))
        .map(([name]) => `${file}: ${name}`);
    });
    expect(strays).toEqual([]);
  });
});
