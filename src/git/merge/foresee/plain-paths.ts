/** Tells which files merge as plain text, whatever the attributes of the side they are merged into say of other files. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BytePath, joinPath } from '../../../domain/byte-path.ts';
import type { Oid } from '../../../domain/oid.ts';
import { ifPresent } from '../../../platform/errno.ts';
import { type AttributeRules, attributesOf, parseAttributeRules } from '../../checkpoint/attribute-rules.ts';
import type { ObjectReader } from '../../checkpoint/object-reader.ts';
import { relevant } from '../attributes.ts';
import type { Changes } from './changes.ts';
import { directory, type RawTrees } from './raw-trees.ts';

/** The side whose attributes count: the base's tree, and what the side changed. */
export interface Ours {
  readonly base: Oid;
  readonly changes: Changes;
}

export interface PlainPaths {
  /** Whether nothing says how `path` of `ours` is to be merged. */
  isPlain(ours: Ours, path: BytePath): Promise<boolean>;
}

/** Of rules read with and without regard to case: which one git goes by is not asked. */
type Rules = readonly AttributeRules[];

/** What the rules of one file are; `tooLarge` is for git to read. */
type RulesFile = Rules | 'nothing' | 'tooLarge';

const largest = 2 ** 18;
/** Attribute files and places without one that a process remembers. */
const most = 20_000;

/** Remembers what it read. */
export function rememberPlainPaths(trees: RawTrees, reader: ObjectReader): PlainPaths {
  const placed = new Map<string, Oid | undefined>();
  const read = new Map<string, Promise<RulesFile>>();
  const inBase = async (base: Oid, folder: BytePath | ''): Promise<Oid | undefined> => {
    const key = `${base} ${folder}`;
    if (placed.has(key)) return placed.get(key);
    const names = folder === '' ? [] : folder.split('/');
    const item = await trees.entryAt(base, [...names, attributesFile]);
    const oid = item === undefined || item.mode === directory ? undefined : item.oid;
    if (placed.size >= most) placed.clear();
    placed.set(key, oid);
    return oid;
  };
  const rulesOf = (oid: Oid, macros: boolean): Promise<RulesFile> => {
    const key = `${oid} ${macros}`;
    const known = read.get(key);
    if (known !== undefined) return known;
    const found = readRules(reader, oid, macros);
    if (read.size >= most) read.clear();
    read.set(key, found);
    found.catch(() => read.delete(key));
    return found;
  };
  const rulesIn = async ({ base, changes }: Ours, folder: BytePath | ''): Promise<RulesFile> => {
    const changed = changes.files.get(joinPath(folder, attributesFile));
    const oid = changed === undefined ? await inBase(base, folder) : changed.after?.oid;
    return oid === undefined ? 'nothing' : rulesOf(oid, folder === '');
  };
  return {
    async isPlain(ours, path) {
      const folders = foldersOf(path);
      const rules = await Promise.all(folders.map((folder) => rulesIn(ours, folder)));
      if (rules.every((each) => each === 'nothing')) return true;
      if (rules.includes('tooLarge')) return false;
      return [0, 1].every((variant) => isUnsaid(folders, rules, variant, path));
    },
  };
}

const attributesFile = '.gitattributes';

/** Whether attributes that no commit has, or settings, have a say in merges. */
export async function hasOwnRules(commonDirectory: string): Promise<boolean> {
  const read = async (name: string) => (await ifPresent(readFile(join(commonDirectory, name), 'latin1'))) ?? '';
  const [config, attributes] = await Promise.all([read('config'), read('info/attributes')]);
  return relevant.test(attributes) || /renormalize|^\s*\[include/im.test(config);
}

/** The deepest first: it has the last word. */
function foldersOf(path: BytePath): readonly (BytePath | '')[] {
  const folders: (BytePath | '')[] = [];
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    folders.push(path.slice(0, slash) as BytePath);
  }
  return [...folders, ''];
}

async function readRules(reader: ObjectReader, oid: Oid, macros: boolean): Promise<RulesFile> {
  const object = await reader.read(oid);
  if (object?.kind !== 'blob') return 'nothing';
  if (object.content.length > largest) return 'tooLarge';
  const text = object.content.toString('latin1');
  if (!relevant.test(text)) return 'nothing';
  return [false, true].map((ignoreCase) => parseAttributeRules(text, { ignoreCase, macros }));
}

function isUnsaid(
  folders: readonly (BytePath | '')[],
  rules: readonly RulesFile[],
  variant: number,
  path: BytePath,
): boolean {
  const sources = folders.flatMap((folder, index) => {
    const found = rules[index];
    const own = typeof found === 'string' ? undefined : found?.[variant];
    return own === undefined ? [] : [{ rules: own, path: folder === '' ? path : path.slice(folder.length + 1) }];
  });
  const said = attributesOf(sources, path.slice(path.lastIndexOf('/') + 1));
  return ['merge', 'conflict-marker-size'].every((name) => (said.get(name) ?? 'unspecified') === 'unspecified');
}
