/**
 * Compares the files on disk with a tree, directory by directory, by their stat alone. What differs or may differ is
 * reported as a suspect to be read; what is gone, held or unrecordable is reported as such. Reads no file but rule files.
 */
import { type BytePath, joinPath } from '../../domain/byte-path.ts';
import type { Held, HeldReason } from '../../domain/change.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Breathe } from '../../platform/slices.ts';
import {
  type FileStat,
  type Glance,
  glanceAt,
  glancesIn,
  namesIn,
  type ReadFailure,
  statAt,
} from '../../platform/tree-reader.ts';
import { type DirectoryCursor, openDirectoryCursor } from './directory-cursor.ts';
import type { Listings } from './listings.ts';
import { unrecordable } from './names.ts';
import { isTreeMode, type RawEntry, type Tree } from './objects.ts';
import type { DirectoryRules, RuleFiles } from './rule-files.ts';
import type { Scope } from './scope.ts';
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
  readonly listings: Listings;
  /** Whether a directory that looks the same need not be listed again. */
  readonly trustListings: boolean;
  /** For the files of a directory, by name: whether one is known to be what `before` says, by its stat. */
  unchangedIn(directory: BytePath | ''): (name: string, stat: Glance, before: RawEntry) => boolean;
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
  /** Submodules that have files: looked at apart. */
  readonly submodules: Set<BytePath>;
  /** Directories that went away while they were looked at. */
  readonly unsettled: BytePath[];
}

/** A directory and what holds in it. */
interface Place {
  readonly path: BytePath | '';
  /** The components of the path. */
  readonly names: readonly string[];
  readonly tree: Tree | undefined;
  readonly rules: DirectoryRules;
  readonly ignored: boolean;
}

type Found = Omit<Place, 'rules'>;

/** Directories within each other, each holding a descriptor; git itself gives up at 2,048 (core.maxTreeDepth). */
const deepest = 256;
const longestPath = 4095;
const gitlink = '160000';
const emptyTree: Tree = new Map();

export async function scan(request: ScanRequest): Promise<Findings> {
  const cursor = openDirectoryCursor(request.root);
  try {
    return await scanFrom(cursor, request);
  } finally {
    cursor.close();
  }
}

async function scanFrom(cursor: DirectoryCursor, request: ScanRequest): Promise<Findings> {
  const { trees, rules, breathe, listings } = request;
  /** One character per byte, like every path here. */
  const root = Buffer.from(request.root).toString('latin1');
  const findings: Findings = {
    suspects: [],
    gone: new Map(),
    held: [],
    covered: new Set(),
    directories: new Set(),
    submodules: new Set(),
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

  const inDirectory = async (found: Found, above: DirectoryRules | undefined, scope: Scope): Promise<void> => {
    const open = () => cursor.enter(found.names);
    if (scope.whole) {
      const names = namesOf(found);
      if (names === undefined) return;
      findings.directories.add(found.path);
      await wholeDirectory({ ...found, rules: rules.enter(open, found.path, above, names) }, names);
    } else if (isOpen(found, open())) {
      const place = { ...found, rules: rules.enter(open, found.path, above) };
      for (const [name, child] of scope.children) await step(place, name, child);
    }
  };

  /** Reports why not. What is recorded in such a directory stays. */
  const isOpen = ({ path }: Found, opened: number | ReadFailure): opened is number => {
    if (typeof opened === 'number') return true;
    if (path === '') throw unlistable(request.root);
    if (opened === 'gone') findings.unsettled.push(path);
    else hold(path, 'unreadable', 'the directory cannot be opened or listed');
    return false;
  };

  const namesOf = (found: Found): ReadonlySet<string> | undefined => {
    const glance = request.trustListings ? glanceAt(`${root}/${found.path}`) : undefined;
    const known = glance === undefined ? undefined : listings.recall(found.path, glance);
    if (known !== undefined) return known;
    const descriptor = cursor.enter(found.names);
    if (!isOpen(found, descriptor)) return undefined;
    return listings.list(found.path, descriptor, (failure) => void isOpen(found, failure));
  };

  const statIn = (place: Place, name: string): FileStat | ReadFailure => {
    const descriptor = cursor.enter(place.names);
    return isOpen(place, descriptor) ? statAt(descriptor, name) : 'refused';
  };

  /** Into a directory of which only a part is wanted; anything else there is looked at as it is. */
  const step = async (place: Place, name: string, scope: Scope): Promise<void> => {
    const stat = statIn(place, name);
    if (!scope.whole && typeof stat !== 'string' && stat.kind === 'directory') await directory(place, name, scope);
    else {
      findings.covered.add(joinPath(place.path, name));
      await examine(place, name, stat);
    }
  };

  /** In an ignored directory only what is recorded counts. */
  const wholeDirectory = async (place: Place, names: ReadonlySet<string>): Promise<void> => {
    const recorded = place.tree ?? emptyTree;
    const looksRecorded = looksRecordedIn(place.path);
    for (const name of names) {
      const entry = recorded.get(name);
      if (place.ignored && entry === undefined) continue;
      const pause = breathe();
      if (pause !== undefined) await pause;
      if (entry === undefined || !looksRecorded(name, entry)) {
        await examine(place, name, statIn(place, name));
      }
    }
    for (const [name, entry] of recorded) {
      if (!names.has(name)) await missing(joinPath(place.path, name), entry);
    }
  };

  /** Nearly every file of nearly every scan. */
  const looksRecordedIn = (directory: BytePath | '') => {
    const isUnchanged = request.unchangedIn(directory);
    const glance = glancesIn(directory === '' ? root : `${root}/${directory}`);
    return (name: string, entry: RawEntry): boolean => {
      if (isTreeMode(entry.mode)) return false;
      const stat = glance(name);
      return stat !== undefined && isUnchanged(name, stat, entry);
    };
  };

  const examine = async (place: Place, name: string, stat: FileStat | ReadFailure): Promise<void> => {
    const path = joinPath(place.path, name);
    const entry = place.tree?.get(name);
    if (stat === 'gone') {
      if (entry !== undefined) await missing(path, entry);
    } else if (stat === 'refused') {
      if (entry !== undefined || !isIgnored(place, path, name, false))
        hold(path, 'unreadable', 'it cannot be looked at');
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
    if (before !== undefined && request.unchangedIn(place.path)(name, stat, before)) return;
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
    const refused = refusedName(path, name, false) ?? (place.names.length >= deepest ? 'nested too deeply' : undefined);
    if (refused === undefined)
      await inDirectory({ path, names: [...place.names, name], tree, ignored }, place.rules, scope);
    else hold(path, 'unrecordable-name', refused);
  };

  const isIgnored = (place: Place, path: BytePath, name: string, isDirectory: boolean) =>
    place.ignored || rules.ignores(place.rules, path, name, isDirectory);

  /** A submodule keeps its recorded commit, whatever is in it. */
  const submodule = (place: Place, name: string, path: BytePath): void => {
    findings.covered.add(path);
    const descriptor = cursor.enter([...place.names, name]);
    const names = typeof descriptor === 'number' ? namesIn(descriptor) : descriptor;
    if (typeof names === 'string' || names.length === 0) return;
    findings.submodules.add(path);
    if (!names.includes('.git'))
      hold(path, 'inside-submodule', 'files in the place of a submodule that is not checked out');
  };

  if (request.scope.whole) findings.covered.add('');
  await inDirectory({ path: '', names: [], tree: request.tree, ignored: false }, undefined, request.scope);
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
