/**
 * The .gitignore and .gitattributes files of a worktree, read as safely as everything else in it, together with the
 * repository's own (info/exclude, info/attributes, the user's excludes). Parsed once, again when they change.
 */
import { type Stats, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BytePath, joinPath } from '../../domain/byte-path.ts';
import { errnoOf } from '../../platform/errno.ts';
import {
  type FileStat,
  type ReadContent,
  type ReadFailure,
  readFileAt,
  sameStat,
  statAt,
} from '../../platform/tree-reader.ts';
import { type AttributeRules, type Attributes, attributesOf, parseAttributeRules } from './attribute-rules.ts';
import { type IgnoreRules, parseIgnoreRules } from './ignore-rules.ts';
import { racyWindow } from './stat-cache.ts';

/** The rules that hold in a directory: its own, and by way of `parent` all that hold above it. */
export interface DirectoryRules {
  readonly path: BytePath | '';
  readonly parent: DirectoryRules | undefined;
  readonly ignore: IgnoreRules | undefined;
  readonly attributes: AttributeRules | undefined;
}

export interface RuleFiles {
  /** Reads again what belongs to the repository; true when any of it changed. */
  refresh(): Promise<boolean>;
  /** The rules of a directory, opened only if need be. `names`: what is in it, where that is known already. */
  enter(
    open: () => number | ReadFailure,
    path: BytePath | '',
    parent: DirectoryRules | undefined,
    names?: ReadonlySet<string>,
  ): DirectoryRules;
  /** Whether `enter` met a rule file that is not as it was when the directory was last entered; asking resets it. */
  takeChanged(): boolean;
  /** What the rules of a directory and those above say of something in it. */
  ignores(rules: DirectoryRules, path: BytePath, name: string, directory: boolean): boolean;
  attributesFor(rules: DirectoryRules, path: BytePath, name: string): Attributes;
  /** The rules last read for a directory, without looking at the disk. */
  recall(path: BytePath | ''): DirectoryRules;
  /** Forgets directories that `exists` does not confirm. */
  keepOnly(exists: (path: BytePath | '') => boolean): void;
}

export interface RuleSources {
  readonly commonDirectory: string;
  /** Content of the user's own core.excludesFile. */
  readonly userExcludes: string;
  readonly ignoreCase: () => boolean;
}

interface Parsed<Rules> {
  readonly stat: FileStat;
  readonly racy: boolean;
  readonly text: string;
  readonly rules: Rules;
}

interface Known {
  readonly ignore: Parsed<IgnoreRules> | undefined;
  readonly attributes: Parsed<AttributeRules> | undefined;
}

/** Larger rule files are not read: nobody writes them, and every path is held against every line. */
const largestRuleFile = 2 ** 20;
const nothing: Known = { ignore: undefined, attributes: undefined };

export function openRuleFiles(sources: RuleSources): RuleFiles {
  const known = new Map<BytePath | '', Known>();
  let changed = false;
  let repositoryTexts = '';
  let repositoryStamp = '';
  let shared: { readonly ignores: readonly IgnoreRules[]; readonly attributes: AttributeRules } | undefined;

  const read = <Rules>(
    open: () => number | ReadFailure,
    name: string,
    before: Parsed<Rules> | undefined,
    parse: (content: string) => Rules,
  ): Parsed<Rules> | undefined => {
    const directory = open();
    const stat = typeof directory === 'number' ? statAt(directory, name) : directory;
    if (typeof directory !== 'number' || typeof stat === 'string' || stat.kind !== 'file') return undefined;
    if (before !== undefined && !before.racy && sameStat(before.stat, stat)) return before;
    const content = readFileAt(directory, name, largestRuleFile);
    return typeof content === 'string' ? undefined : parsed(content, before, parse);
  };

  const own = (
    open: () => number | ReadFailure,
    path: BytePath | '',
    names: ReadonlySet<string> | undefined,
  ): Known => {
    const before = known.get(path) ?? nothing;
    const ignoreCase = sources.ignoreCase();
    const has = (name: string) => names === undefined || names.has(name);
    const ignore = has('.gitignore')
      ? read(open, '.gitignore', before.ignore, (text) => parseIgnoreRules(text, ignoreCase))
      : undefined;
    const attributes = has('.gitattributes')
      ? read(open, '.gitattributes', before.attributes, (text) =>
          parseAttributeRules(text, { ignoreCase, macros: path === '' }),
        )
      : undefined;
    if (ignore?.rules !== before.ignore?.rules || attributes?.rules !== before.attributes?.rules) changed = true;
    if (ignore === undefined && attributes === undefined) known.delete(path);
    else known.set(path, { ignore, attributes });
    return { ignore, attributes };
  };

  return {
    async refresh() {
      const files = ['exclude', 'attributes'].map((name) => join(sources.commonDirectory, 'info', name));
      const ignoreCase = sources.ignoreCase();
      const stamp = JSON.stringify([...files.map(stampOf), ignoreCase]);
      if (stamp === repositoryStamp) return false;
      const readAt = Date.now();
      const [exclude, attributes] = await Promise.all(files.map(readOptional));
      // One that has just been written may be written again without looking any different.
      repositoryStamp = files.some((file) => changedAt(file) > readAt - racyWindow) ? '' : stamp;
      const texts = JSON.stringify([exclude, attributes, ignoreCase]);
      if (texts === repositoryTexts) return false;
      if (shared !== undefined) known.clear();
      repositoryTexts = texts;
      shared = {
        ignores: [exclude ?? '', sources.userExcludes].map((text) => parseIgnoreRules(text, ignoreCase)),
        attributes: parseAttributeRules(attributes ?? '', { ignoreCase, macros: true }),
      };
      return true;
    },
    enter(open, path, parent, names) {
      const { ignore, attributes } = own(open, path, names);
      return { path, parent, ignore: ignore?.rules, attributes: attributes?.rules };
    },
    takeChanged() {
      const was = changed;
      changed = false;
      return was;
    },
    ignores(rules, path, name, directory) {
      for (let level: DirectoryRules | undefined = rules; level !== undefined; level = level.parent) {
        const verdict = level.ignore?.verdict(relativeTo(level.path, path), name, directory);
        if (verdict !== undefined) return verdict === 'ignored';
      }
      for (const one of shared?.ignores ?? []) {
        const verdict = one.verdict(path, name, directory);
        if (verdict !== undefined) return verdict === 'ignored';
      }
      return false;
    },
    attributesFor(rules, path, name) {
      const found = shared === undefined ? [] : [{ rules: shared.attributes, path: path as string }];
      for (let level: DirectoryRules | undefined = rules; level !== undefined; level = level.parent) {
        if (level.attributes !== undefined) {
          found.push({ rules: level.attributes, path: relativeTo(level.path, path) });
        }
      }
      return attributesOf(found, name);
    },
    recall(path) {
      const at = (directory: BytePath | '', parent: DirectoryRules | undefined): DirectoryRules => {
        const { ignore, attributes } = known.get(directory) ?? nothing;
        return { path: directory, parent, ignore: ignore?.rules, attributes: attributes?.rules };
      };
      let rules = at('', undefined);
      if (path !== '') for (const name of path.split('/')) rules = at(joinPath(rules.path, name), rules);
      return rules;
    },
    keepOnly(exists) {
      for (const path of known.keys()) if (!exists(path)) known.delete(path);
    },
  };
}

/** The same text keeps the rules it had. */
function parsed<Rules>(
  { content, stat }: ReadContent,
  before: Parsed<Rules> | undefined,
  parse: (content: string) => Rules,
): Parsed<Rules> {
  const text = content.toString('latin1');
  const racy = Math.max(stat.mtimeMs, stat.ctimeMs) > Date.now() - racyWindow;
  return { stat, racy, text, rules: before?.text === text ? before.rules : parse(text) };
}

function relativeTo(directory: BytePath | '', path: BytePath): string {
  return directory === '' ? path : path.slice(directory.length + 1);
}

/** Without a promise: it is asked at every checkpoint, and answered in microseconds. */
function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function stampOf(path: string): string {
  const found = lookAt(path);
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
}

function changedAt(path: string): number {
  const found = lookAt(path);
  return found === undefined ? 0 : Math.max(found.mtimeMs, found.ctimeMs);
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}
