/**
 * Compares the files on disk with a tree, directory by directory, by their stat alone. What differs or may differ is
 * reported as a suspect to be read; what is gone, held or unrecordable is reported as such. Reads no file but rule files.
 */
import { type BytePath, joinPath } from '../../domain/byte-path.ts';
import type { Held, HeldReason } from '../../domain/change.ts';
import { CoppiceError } from '../../domain/error.ts';
import {
  closeDirectory,
  type FileStat,
  glanceAt,
  namesIn,
  openDirectory,
  openTree,
  statAt,
} from '../../platform/tree-reader.ts';
import { unrecordable } from './names.ts';
import { isTreeMode, type RawEntry, type Tree } from './objects.ts';
import type { DirectoryRules, RuleFiles } from './rule-files.ts';
import type { Scope } from './scope.ts';
import type { Breathe } from './slices.ts';
import { leavesOf } from './tree-edit.ts';
import type { Trees } from './trees.ts';

export interface Suspect {
  readonly path: BytePath;
  readonly stat: FileStat;
  /** What the tree has at this very path: a file, a link or a submodule. */
  readonly before: RawEntry | undefined;
  readonly rules: DirectoryRules;
}

export interface ScanRequest {
  readonly root: string;
  readonly scope: Scope;
  readonly tree: Tree;
  readonly trees: Trees;
  readonly rules: RuleFiles;
  readonly breathe: Breathe;
  /** Whether the file is known to be what `before` says, by its stat. */
  isUnchanged(path: BytePath, stat: FileStat, before: RawEntry): boolean;
  /** Whether a path that is not on disk is meant to be absent: sparse checkout. */
  isLeftOut(path: BytePath): Promise<boolean>;
}

export interface Findings {
  readonly suspects: Suspect[];
  /** Recorded paths that are no longer there, with their entries. */
  readonly gone: Map<BytePath, RawEntry>;
  readonly held: Held[];
  /** Paths that were looked at with everything below them. */
  readonly covered: Set<BytePath | ''>;
  /** Directories that were looked at whole. */
  readonly directories: Set<BytePath | ''>;
  /** Directories that went away while they were looked at. */
  readonly unsettled: BytePath[];
}

/** An open directory and what holds in it. */
interface Place {
  readonly descriptor: number;
  readonly path: BytePath | '';
  readonly depth: number;
  readonly tree: Tree | undefined;
  readonly rules: DirectoryRules;
  readonly ignored: boolean;
}

/** Directories within each other, each holding a descriptor; git itself gives up at 2,048 (core.maxTreeDepth). */
const deepest = 256;
const longestPath = 4095;
const gitlink = '160000';
const emptyTree: Tree = new Map();

export async function scan(request: ScanRequest): Promise<Findings> {
  const { trees, rules, breathe } = request;
  /** One character per byte, like every path here. */
  const root = Buffer.from(request.root).toString('latin1');
  const findings: Findings = {
    suspects: [],
    gone: new Map(),
    held: [],
    covered: new Set(),
    directories: new Set(),
    unsettled: [],
  };
  const hold = (path: BytePath, reason: HeldReason, detail: string) =>
    void findings.held.push({ path, reason, detail });

  /** Everything recorded at `path` is not there any more. */
  const missing = async (path: BytePath, entry: RawEntry): Promise<void> => {
    const leaves = isTreeMode(entry.mode)
      ? leavesOf(trees, await trees.read(entry.oid), path)
      : [[path, entry] as const];
    for await (const [leaf, was] of leaves) {
      if (!(await request.isLeftOut(leaf))) findings.gone.set(leaf, was);
    }
  };

  /** An open directory, with its rules read. */
  const inDirectory = async (found: Omit<Place, 'rules'>, above: DirectoryRules | undefined, scope: Scope) => {
    const { descriptor, path } = found;
    if (scope.whole) {
      const names = listing(found);
      if (names === undefined) return;
      findings.directories.add(path);
      await wholeDirectory({ ...found, rules: rules.enter(descriptor, path, above, names) }, names);
    } else {
      const place = { ...found, rules: rules.enter(descriptor, path, above) };
      for (const [name, child] of scope.children) await step(place, name, child);
    }
  };

  /** undefined: it cannot be said what is in there; what is recorded stays. */
  const listing = ({ descriptor, path }: Omit<Place, 'rules'>): ReadonlySet<string> | undefined => {
    const names = namesIn(descriptor);
    if (typeof names !== 'string') return new Set(names);
    if (path === '') throw unlistable(request.root);
    if (names === 'gone') findings.unsettled.push(path);
    else hold(path, 'unreadable', 'the directory cannot be listed');
    return undefined;
  };

  /** Into a directory of which only a part is wanted; anything else there is looked at as it is. */
  const step = async (place: Place, name: string, scope: Scope): Promise<void> => {
    const stat = statAt(place.descriptor, name);
    if (scope.whole || stat?.kind !== 'directory') findings.covered.add(joinPath(place.path, name));
    if (scope.whole || stat?.kind !== 'directory') await examine(place, name, stat);
    else await directory(place, name, scope);
  };

  /** In an ignored directory only what is recorded counts. */
  const wholeDirectory = async (place: Place, names: ReadonlySet<string>): Promise<void> => {
    const recorded = place.tree ?? emptyTree;
    for (const name of names) {
      const entry = recorded.get(name);
      if (place.ignored && entry === undefined) continue;
      const pause = breathe();
      if (pause !== undefined) await pause;
      if (entry !== undefined && looksRecorded(joinPath(place.path, name), entry)) continue;
      await examine(place, name, statAt(place.descriptor, name));
    }
    for (const [name, entry] of recorded) {
      if (!names.has(name)) await missing(joinPath(place.path, name), entry);
    }
  };

  /** Nearly every file of nearly every scan. */
  const looksRecorded = (path: BytePath, entry: RawEntry): boolean => {
    if (isTreeMode(entry.mode)) return false;
    const stat = glanceAt(`${root}/${path}`);
    return stat !== undefined && request.isUnchanged(path, stat, entry);
  };

  const examine = async (place: Place, name: string, stat: FileStat | undefined): Promise<void> => {
    const path = joinPath(place.path, name);
    const entry = place.tree?.get(name);
    if (stat === undefined) {
      if (entry !== undefined) await missing(path, entry);
    } else if (stat.kind === 'directory') await directory(place, name, wholeScope);
    else if (stat.kind === 'other') {
      if (entry !== undefined) hold(path, 'unreadable', 'a pipe, socket or device has taken its place');
    } else await file(place, name, stat);
  };

  const file = async (place: Place, name: string, stat: FileStat): Promise<void> => {
    const path = joinPath(place.path, name);
    const entry = place.tree?.get(name);
    // A nested repository's `.git` may be a file. It is the agent's, like the directory.
    if (name === '.git' && stat.kind === 'file') return;
    if (entry !== undefined && isTreeMode(entry.mode)) await missing(path, entry);
    const before = entry === undefined || isTreeMode(entry.mode) ? undefined : entry;
    if (before === undefined && isIgnored(place, path, name, false)) return;
    if (before !== undefined && request.isUnchanged(path, stat, before)) return;
    const refused = refusedName(path, name, stat.kind === 'link');
    if (refused === undefined) findings.suspects.push({ path, stat, before, rules: place.rules });
    else hold(path, 'unrecordable-name', refused);
  };

  const directory = async (place: Place, name: string, scope: Scope): Promise<void> => {
    const path = joinPath(place.path, name);
    const entry = place.tree?.get(name);
    if (name === '.git') return;
    if (entry?.mode === gitlink) submodule(place, name, path);
    else if (entry === undefined || isTreeMode(entry.mode)) await ordinary(place, name, scope, entry);
    else {
      // It took a file's place: all new, whatever part of it was asked for.
      findings.gone.set(path, entry);
      await ordinary(place, name, wholeScope, undefined);
    }
  };

  const ordinary = async (place: Place, name: string, scope: Scope, entry: RawEntry | undefined): Promise<void> => {
    const path = joinPath(place.path, name);
    const ignored = isIgnored(place, path, name, true);
    if (ignored && entry === undefined) return;
    const tree = entry === undefined ? undefined : await trees.read(entry.oid);
    const refused = refusedName(path, name, false) ?? (place.depth >= deepest ? 'nested too deeply' : undefined);
    if (refused === undefined) await descend(place, name, { tree, ignored }, scope);
    else hold(path, 'unrecordable-name', refused);
  };

  const descend = async (
    place: Place,
    name: string,
    below: Pick<Place, 'tree' | 'ignored'>,
    scope: Scope,
  ): Promise<void> => {
    const path = joinPath(place.path, name);
    const descriptor = openDirectory(place.descriptor, name);
    if (descriptor === 'gone') findings.unsettled.push(path);
    else if (descriptor === 'refused') hold(path, 'unreadable', 'the directory cannot be opened');
    else {
      const found = { ...below, descriptor, path, depth: place.depth + 1 };
      await within(descriptor, () => inDirectory(found, place.rules, scope));
    }
  };

  const isIgnored = (place: Place, path: BytePath, name: string, isDirectory: boolean) =>
    place.ignored || rules.ignores(place.rules, path, name, isDirectory);

  /** A submodule keeps its recorded commit. With a repository of its own it looks after itself; else its files are lost to us. */
  const submodule = (place: Place, name: string, path: BytePath): void => {
    findings.covered.add(path);
    const descriptor = openDirectory(place.descriptor, name);
    if (typeof descriptor !== 'number') return;
    const names = namesIn(descriptor);
    closeDirectory(descriptor);
    if (typeof names === 'string' || names.length === 0 || names.includes('.git')) return;
    hold(path, 'inside-submodule', 'files in the place of a submodule that is not checked out');
  };

  const descriptor = openTree(request.root);
  const top = { descriptor, path: '', depth: 0, tree: request.tree, ignored: false } as const;
  if (request.scope.whole) findings.covered.add('');
  await within(descriptor, () => inDirectory(top, undefined, request.scope));
  return findings;
}

const wholeScope: Scope = { whole: true, children: new Map() };

function refusedName(path: BytePath, name: string, link: boolean): string | undefined {
  return unrecordable(name, link) ?? (path.length > longestPath ? 'the path is too long' : undefined);
}

function unlistable(root: string): CoppiceError {
  return new CoppiceError('unavailable', 'tree-unreadable', `The directory ${root} cannot be listed.`, {
    hint: 'Check its permissions, or run `coppice doctor`.',
    data: { path: root },
  });
}

async function within(descriptor: number, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } finally {
    closeDirectory(descriptor);
  }
}
