/**
 * What is known of one environment's files: what each was when last read, what is held, which directories there are.
 * Compares the part of the tree that is asked for with a recorded tree, and learns from it.
 */
import type { BytePath } from '../../domain/byte-path.ts';
import type { Held, TreeEntry } from '../../domain/change.ts';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import { breathing } from '../../platform/slices.ts';
import type { HoldLimits } from '../checkpointer.ts';
import type { LfsStore } from '../lfs/store.ts';
import { openDirectoryCursor } from './directory-cursor.ts';
import { gate } from './gate.ts';
import { openHeldPaths } from './held-paths.ts';
import { largestCompared, mostCompared } from './line-counts.ts';
import { openListings } from './listings.ts';
import type { PackWriter } from './pack.ts';
import { canonicalMode, type FileReaderOptions, type ReadEntry, type Reading, readSuspect } from './read-file.ts';
import type { RuleFiles } from './rule-files.ts';
import { type Findings, type Suspect, scan } from './scan.ts';
import { covers, everything, type Scope } from './scope.ts';
import type { SecretScanner } from './secrets/scanner.ts';
import type { Settings } from './settings.ts';
import type { SparsePaths } from './sparse.ts';
import { looksUnchanged, type Seen, type StatCache } from './stat-cache.ts';
import type { Trees } from './trees.ts';

export interface Edit {
  readonly path: BytePath;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
  /** The new bytes of the first few small files. */
  readonly content: Buffer | undefined;
}

export interface Comparison {
  /** In order of path. Content that is new is in the pack. */
  readonly edits: readonly Edit[];
  readonly unsettled: boolean;
  /** Milliseconds that comparing took, without reading any file. */
  readonly looked: number;
}

export interface CompareRequest {
  readonly scope: Scope;
  /** The tree to compare with. */
  readonly root: Oid;
  readonly rehash: boolean;
  readonly settings: Settings;
  /** Where the content of changed files goes. */
  readonly pack: PackWriter;
}

export interface WorktreeState {
  compare(request: CompareRequest): Promise<Comparison>;
  /** Learns which directories there are, without looking at any file's content. */
  survey(root: Oid): Promise<void>;
  held(): readonly Held[];
  /** Submodules that have files. */
  submodules(): readonly BytePath[];
  directories(): readonly (BytePath | '')[];
  /** Paths that were too fresh to be sure of: to be looked at again with the next call. */
  takeFresh(): readonly BytePath[];
  /** Forgets which files were held for what they contain: the rules have changed. */
  forgetVerdicts(): void;
  /** There are more files held for being too many than the cache on disk has. */
  overflowChanged(): boolean;
  /** For the cache on disk; undefined when nothing was learned since the last time. */
  takeLearned(): StatCache | undefined;
}

export interface WorktreeDependencies {
  readonly root: string;
  readonly limits: HoldLimits;
  readonly format: ObjectFormat;
  readonly trees: Trees;
  readonly rules: RuleFiles;
  readonly sparse: SparsePaths;
  readonly cache: StatCache;
  readonly secrets: SecretScanner;
  readonly lfs: LfsStore | undefined;
  readBlob(oid: Oid): Promise<Buffer | undefined>;
}

/** Scans of everything between two that list every directory: for file systems that do not keep directories' times. */
const listAgainEvery = 16;
/** More fresh paths than this are left to the next scan. */
const mostFresh = 1000;

export function openWorktreeState(dependencies: WorktreeDependencies): WorktreeState {
  const { root, limits, format, trees, rules, sparse, secrets, readBlob } = dependencies;
  const { seen } = dependencies.cache;
  const held = openHeldPaths(limits, dependencies.cache.overflow);
  let directories = new Set<BytePath | ''>();
  const submodules = new Set<BytePath>();
  let fresh = new Set<BytePath>();
  let learned = false;

  const listings = openListings();
  let scans = 0;

  const scanNow = async (scope: Scope, tree: Oid, rehash: boolean): Promise<Findings> =>
    scan({
      root,
      scope,
      tree: await trees.read(tree),
      trees,
      rules,
      breathe: breathing(),
      listings,
      trustListings: scope.whole && !rehash && scans++ % listAgainEvery !== 0,
      unchangedIn(directory) {
        const known = rehash ? undefined : seen.in(directory);
        return (name, stat, before) => {
          const file = known?.get(name);
          if (file === undefined || file.oid !== before.oid || file.mode !== canonicalMode(before.mode)) return false;
          return looksUnchanged(file, stat);
        };
      },
      isLeftOut: async (path) => !seen.has(path) && (await sparse.has(path)),
    });

  /** Directories met below a covered path are replaced by those met now. */
  const settleDirectories = ({ covered, directories: met }: Findings) => {
    if (covered.has('')) {
      directories = new Set(met);
      rules.keepOnly((path) => met.has(path));
      listings.keepOnly(met);
      return;
    }
    if ([...covered].some((path) => directories.has(path))) {
      for (const path of directories) if (covers(covered, path)) directories.delete(path);
    }
    for (const path of met) directories.add(path);
  };

  const settleSubmodules = ({ covered, submodules: met }: Findings) => {
    for (const path of submodules) if (covers(covered, path)) submodules.delete(path);
    for (const path of met) submodules.add(path);
  };

  const learn = (path: BytePath, entry: Seen | undefined) => {
    learned = true;
    if (entry === undefined) seen.delete(path);
    else seen.set(path, entry);
    if (entry?.racy) lookAgain(path);
  };
  const isRecordedElsewhere = (oid: Oid) => {
    for (const entry of seen.values()) if (entry.oid === oid) return true;
    return false;
  };
  /** Whether the file has to stay out for what it contains. A verdict on a file that may be written again is not kept. */
  const holdsSecret = async (suspect: Suspect, { entry, content, behind, seen: now }: ReadEntry): Promise<boolean> => {
    const { path, before } = suspect;
    if (content === undefined) return false;
    const recordedBefore = async () =>
      before === undefined || before.mode === '160000' ? undefined : readBlob(before.oid);
    const suspicion = await secrets.examine(path, behind ?? content, recordedBefore);
    // A copy of a file that is on the branch tells nobody anything new.
    if (suspicion === undefined || isRecordedElsewhere(entry.oid)) return false;
    held.add(
      { path, reason: 'secret', detail: suspicion.detail },
      suspicion.certain && !now.racy ? suspect : undefined,
    );
    if (now.racy) lookAgain(path);
    return true;
  };
  const lookAgain = (path: BytePath) => {
    if (fresh.size < mostFresh) fresh.add(path);
  };

  /** Reads the suspects in order of path, keeping directories open on the way. */
  const readAll = async (
    suspects: readonly Suspect[],
    options: FileReaderOptions,
    take: (suspect: Suspect, reading: Reading) => Promise<void>,
  ): Promise<void> => {
    if (suspects.length === 0) return;
    const cursor = openDirectoryCursor(root);
    try {
      for (const suspect of suspects.toSorted(byPath)) {
        await options.breathe();
        const parent = cursor.enter(suspect.path.split('/').slice(0, -1));
        await take(
          suspect,
          typeof parent === 'number' ? await readSuspect(suspect, parent, options) : { kind: 'gone' },
        );
      }
    } finally {
      cursor.close();
    }
  };

  return {
    async compare({ scope, root: tree, rehash, settings, pack }) {
      const begun = performance.now();
      const findings = await scanNow(scope, tree, rehash);
      const looked = performance.now() - begun;
      settleDirectories(findings);
      settleSubmodules(findings);
      const open = held.settle(findings, rehash);
      const gated = gate(open, limits, held.wasOverflow);
      for (const one of gated.held) held.add(one);
      const edits: Edit[] = [];
      for (const [path, entry] of findings.gone) {
        edits.push({ path, before: recorded(entry.mode, entry.oid), after: undefined, content: undefined });
        learn(path, undefined);
      }
      for (const path of findings.unsettled) lookAgain(path);
      // A renamed file's content is recorded under its old name.
      const known = new Set([...findings.gone.values()].map((entry) => entry.oid));
      let unsettled = findings.unsettled.length > 0;
      let kept = 0;
      /** What was read is in the pack or recorded before. */
      const take = async (suspect: Suspect, reading: ReadEntry): Promise<void> => {
        const { path, before } = suspect;
        const { entry, content, seen: now } = reading;
        await reading.keep?.();
        learn(path, now);
        const was = before === undefined ? undefined : recorded(before.mode, before.oid);
        if (entry.oid === was?.oid && entry.mode === was.mode) return;
        if (content !== undefined && !known.has(entry.oid)) await pack.addNamed(entry.oid, 'blob', content);
        const keep = content !== undefined && kept < mostCompared && content.length <= largestCompared;
        if (keep) kept += 1;
        edits.push({ path, before: was, after: entry, content: keep ? content : undefined });
      };
      const { fileBytes, lfsBytes } = limits;
      const { lfs } = dependencies;
      const lastSize = (path: BytePath, oid: Oid) => {
        const known = seen.get(path);
        return known?.oid === oid ? known.size : undefined;
      };
      const breathe = breathing();
      const options = { format, settings, rules, fileBytes, lfsBytes, lfs, breathe, readBlob, lastSize };
      await readAll(gated.admitted, options, async (suspect, reading) => {
        if (reading.kind === 'held') held.add(reading.held, suspect);
        else if (reading.kind === 'gone') {
          unsettled = true;
          lookAgain(suspect.path);
        } else {
          unsettled ||= !reading.settled;
          if (known.has(reading.entry.oid) || !(await holdsSecret(suspect, reading))) await take(suspect, reading);
        }
      });
      return { edits: edits.sort(byPath), unsettled, looked };
    },
    async survey(tree) {
      directories = new Set((await scanNow(everything, tree, false)).directories);
    },
    held: held.list,
    submodules: () => [...submodules].sort(),
    directories: () => [...directories].sort(),
    takeFresh() {
      const taken = [...fresh];
      fresh = new Set();
      return taken;
    },
    forgetVerdicts: held.forgetVerdicts,
    overflowChanged: held.overflowChanged,
    takeLearned() {
      const overflowChanged = held.takeOverflowChanged();
      if (!learned && !overflowChanged) return undefined;
      learned = false;
      return { seen, overflow: held.overflow() };
    },
  };
}

function recorded(mode: string, oid: Oid): TreeEntry {
  return { mode: canonicalMode(mode), oid };
}

function byPath(left: { readonly path: BytePath }, right: { readonly path: BytePath }): number {
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0;
}
