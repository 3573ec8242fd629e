/** Reads one suspect and says what it is to git: an entry, the same as before, held, or gone again. */
import { createHash } from 'node:crypto';
import type { BytePath } from '../../domain/byte-path.ts';
import type { FileMode, Held, HeldReason, TreeEntry } from '../../domain/change.ts';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import type { Breathe } from '../../platform/slices.ts';
import { type FileStat, readFileAt, readLinkAt, statAt, streamFileAt } from '../../platform/tree-reader.ts';
import { type LfsPointer, parseLfsPointer, pointerText } from '../lfs/pointer.ts';
import type { LfsStore } from '../lfs/store.ts';
import { canPoint, convert, noLfs } from './conversion.ts';
import { tooLarge } from './gate.ts';
import { refusedModules } from './gitmodules.ts';
import { nameOf, type RawEntry } from './objects.ts';
import type { RuleFiles } from './rule-files.ts';
import type { Suspect } from './scan.ts';
import type { Settings } from './settings.ts';
import { type Seen, seenAs } from './stat-cache.ts';

export interface ReadEntry {
  readonly kind: 'entry';
  readonly entry: TreeEntry;
  /** The bytes to store; undefined where the object is the one recorded before. */
  readonly content: Buffer | undefined;
  readonly seen: Seen;
  /** False when it changed while it was read. */
  readonly settled: boolean;
  /** Where `content` only stands for it: what is on disk, as far as it was read whole. */
  readonly behind?: Buffer;
  /** Makes what `content` stands for durable; to be called before it is recorded. */
  readonly keep?: () => Promise<void>;
}

/** `gone`: it went away, or became something else, since it was looked at. */
export type Reading = ReadEntry | { readonly kind: 'held'; readonly held: Held } | { readonly kind: 'gone' };

export interface FileReaderOptions {
  readonly format: ObjectFormat;
  readonly settings: Settings;
  readonly rules: RuleFiles;
  readonly fileBytes: number;
  readonly lfsBytes: number;
  /** Absent: content that belongs there is held. */
  readonly lfs: LfsStore | undefined;
  readonly breathe: Breathe;
  readBlob(oid: Oid): Promise<Buffer | undefined>;
  /** The size of the file at `path` when it was last read and recorded as `oid`, where that is known. */
  lastSize(path: BytePath, oid: Oid): number | undefined;
}

export async function readSuspect(suspect: Suspect, parent: number, options: FileReaderOptions): Promise<Reading> {
  const name = suspect.path.slice(suspect.path.lastIndexOf('/') + 1);
  if (suspect.stat.kind === 'link') return readLink(suspect, parent, name, options);
  if (suspect.stat.size > options.fileBytes) return readLarge(suspect, parent, name, options);
  return readSmall(suspect, parent, name, options);
}

function readLink(suspect: Suspect, parent: number, name: string, options: FileReaderOptions): Reading {
  const readAt = Date.now();
  const read = readLinkAt(parent, name);
  if (read === 'gone') return { kind: 'gone' };
  if (read === 'refused') return unreadable(suspect.path);
  const oid = nameOf(options.format, 'blob', read.content);
  return entryOf(suspect, '120000', oid, read.content, seenAs(read.stat, '120000', oid, readAt), read.settled);
}

async function readSmall(suspect: Suspect, parent: number, name: string, options: FileReaderOptions): Promise<Reading> {
  const readAt = Date.now();
  const read = readFileAt(parent, name, options.fileBytes);
  if (read === 'gone') return { kind: 'gone' };
  if (read === 'refused') {
    const now = statAt(parent, name);
    if (typeof now === 'string' || now.size <= options.fileBytes) return unreadable(suspect.path);
    return readLarge({ ...suspect, stat: now }, parent, name, options);
  }
  const { settings, rules } = options;
  const { before } = suspect;
  const converted = await convert({
    content: read.content,
    attributes: rules.attributesFor(suspect.rules, suspect.path, name),
    settings,
    lfs: options.lfs !== undefined,
    recorded: async () => (before === undefined || before.mode === '160000' ? undefined : options.readBlob(before.oid)),
  });
  if (converted.kind === 'held') return held(suspect.path, converted.reason, converted.detail);
  const mode = modeOf(read.stat, before, settings);
  const known = (oid: Oid, content: Buffer | undefined) =>
    entryOf(suspect, mode, oid, content, seenAs(read.stat, mode, oid, readAt), read.settled);
  if (converted.kind === 'same' && before !== undefined) return known(before.oid, undefined);
  const content = converted.kind === 'stored' ? converted.content : read.content;
  const refused = name.toLowerCase() === '.gitmodules' ? refusedModules(content) : undefined;
  if (refused !== undefined) return held(suspect.path, 'refused-by-git', refused);
  const oid = nameOf(options.format, 'blob', content);
  const verbatim = content.equals(read.content) ? oid : nameOf(options.format, 'blob', read.content);
  if (verbatim === before?.oid && !wasConverted(suspect.path, verbatim, read.content, options))
    return known(verbatim, undefined);
  const { lfs } = converted.kind === 'stored' ? converted : {};
  const { lfs: store } = options;
  if (lfs === undefined || store === undefined) return known(oid, content);
  return { ...known(oid, content), behind: read.content, keep: () => store.put(lfs, read.content) };
}

/**
 * A file recorded byte for byte as it stands on disk (before there were attributes, say) has been changed by nobody;
 * unless something else stood there that only converts to the same.
 */
function wasConverted(path: BytePath, oid: Oid, content: Buffer, options: FileReaderOptions): boolean {
  const size = options.lastSize(path, oid);
  return size !== undefined && size !== content.length;
}

/** Too large to record; but a recorded file of that size may simply be unchanged. */
async function readLarge(suspect: Suspect, parent: number, name: string, options: FileReaderOptions): Promise<Reading> {
  const { path, before } = suspect;
  if (isForLfs(suspect, name, options)) return readForLfs(suspect, parent, name, options);
  const large: Reading = { kind: 'held', held: tooLarge(path, suspect.stat.size, options) };
  if (before === undefined || before.mode === '160000') return large;
  const pointer = await pointerAt(suspect, name, options);
  if (pointer !== undefined && pointer.size !== suspect.stat.size) return large;
  const readAt = Date.now();
  const hash = createHash(pointer === undefined ? options.format : 'sha256');
  let begun = pointer !== undefined;
  const done = await streamFileAt(parent, name, async (chunk, stat) => {
    if (!begun) hash.update(`blob ${stat.size}\0`);
    begun = true;
    hash.update(chunk);
    await options.breathe();
  });
  if (done === 'gone') return { kind: 'gone' };
  if (done === 'refused') return unreadable(path);
  if (hash.digest('hex') !== (pointer?.sha256 ?? before.oid)) return large;
  const mode = modeOf(done.stat, before, options.settings);
  return entryOf(suspect, mode, before.oid, undefined, seenAs(done.stat, mode, before.oid, readAt), done.settled);
}

/** Large content is what LFS is for: it has a limit of its own. */
function isForLfs(suspect: Suspect, name: string, options: FileReaderOptions): boolean {
  const { lfs, settings, lfsBytes } = options;
  return (
    hasLfsFilter(suspect, name, options) &&
    canPoint({ lfs: lfs !== undefined, settings }) &&
    suspect.stat.size <= lfsBytes
  );
}

async function readForLfs(
  suspect: Suspect,
  parent: number,
  name: string,
  options: FileReaderOptions,
): Promise<Reading> {
  const draft = await options.lfs?.begin();
  if (draft === undefined) return held(suspect.path, 'filter-missing', noLfs);
  try {
    const readAt = Date.now();
    const done = await streamFileAt(parent, name, async (chunk) => {
      await draft.add(chunk);
      await options.breathe();
    });
    if (done === 'gone') return { kind: 'gone' };
    if (done === 'refused') return unreadable(suspect.path);
    const content = pointerText(draft.pointer());
    const mode = modeOf(done.stat, suspect.before, options.settings);
    const oid = nameOf(options.format, 'blob', content);
    if (oid !== suspect.before?.oid) await draft.keep();
    return entryOf(suspect, mode, oid, content, seenAs(done.stat, mode, oid, readAt), done.settled);
  } finally {
    await draft.release();
  }
}

function hasLfsFilter(suspect: Suspect, name: string, options: FileReaderOptions): boolean {
  const filter = options.rules.attributesFor(suspect.rules, suspect.path, name).get('filter');
  return typeof filter === 'object' && filter.text === 'lfs';
}

async function pointerAt(suspect: Suspect, name: string, options: FileReaderOptions): Promise<LfsPointer | undefined> {
  if (suspect.before === undefined || !hasLfsFilter(suspect, name, options)) return undefined;
  const recorded = await options.readBlob(suspect.before.oid);
  return recorded === undefined ? undefined : parseLfsPointer(recorded);
}

/** What is torn has no times worth remembering. */
function entryOf(
  { before }: Suspect,
  mode: FileMode,
  oid: Oid,
  content: Buffer | undefined,
  seen: Seen,
  settled: boolean,
): ReadEntry {
  return {
    kind: 'entry',
    entry: { mode, oid },
    content: oid === before?.oid ? undefined : content,
    seen: settled ? seen : { ...seen, racy: true },
    settled,
  };
}

/** Where the repository says that the disk cannot hold links or the executable bit, what is recorded stays. */
function modeOf(stat: FileStat, before: RawEntry | undefined, settings: Settings): FileMode {
  if (!settings.symlinks && before?.mode === '120000') return '120000';
  if (settings.fileMode) return stat.executable ? '100755' : '100644';
  return before === undefined ? '100644' : canonicalMode(before.mode) === '100755' ? '100755' : '100644';
}

/** Old repositories have modes such as 100664. */
export function canonicalMode(mode: string): FileMode {
  if (mode === '120000' || mode === '160000') return mode;
  return (Number.parseInt(mode, 8) & 0o100) !== 0 ? '100755' : '100644';
}

function held(path: BytePath, reason: HeldReason, detail: string): Reading {
  return { kind: 'held', held: { path, reason, detail } };
}

function unreadable(path: BytePath): Reading {
  return held(path, 'unreadable', 'it cannot be read by the user that coppice runs as');
}
