/** Reads what `git merge-tree --write-tree -z --messages` prints, for one merge or (`--stdin`) for many. Pure. */
import { type BytePath, bytePathFromBuffer } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import { type Fields, fieldsOf } from '../native/split-nul.ts';
import { canonicalMode } from '../objects/tree-object.ts';

/** An entry of the index a merge would leave: stage 1 is the base, 2 ours, 3 theirs. */
export interface StagedEntry extends TreeEntry {
  readonly path: BytePath;
  readonly stage: number;
}

export interface MergeMessage {
  readonly paths: readonly BytePath[];
  /** Stable, e.g. `CONFLICT (contents)`, `Auto-merging`; the text is not. */
  readonly type: string;
  readonly text: string;
}

export interface MergeReport {
  readonly tree: Oid;
  readonly entries: readonly StagedEntry[];
  readonly messages: readonly MergeMessage[];
}

export function parseMergeReport(output: Buffer): MergeReport {
  return parseOne(fieldsOf(output));
}

/** Each report after its verdict: `1 NUL` for clean, `0 NUL` for conflicts. As many as git got to. */
export function parseMergeReports(output: Buffer): readonly (MergeReport & { readonly clean: boolean })[] {
  const fields = fieldsOf(output);
  const reports: (MergeReport & { readonly clean: boolean })[] = [];
  while (!fields.done) {
    const clean = fields.text() === '1';
    reports.push({ ...parseOne(fields), clean });
  }
  return reports;
}

/**
 * `<tree> NUL`, entries each ending in NUL, an empty field, then messages up to a field that is no count: it is empty, or
 * after conflicts in submodules it holds advice, which git puts in front of the last NUL (git-merge-tree(1), OUTPUT).
 */
function parseOne(fields: Fields): MergeReport {
  const tree = parseOid(fields.text());
  const entries: StagedEntry[] = [];
  for (let field = fields.next(); field.length > 0; field = fields.next()) entries.push(parseEntry(field));
  const messages: MergeMessage[] = [];
  for (let count = fields.text(); /^\d+$/.test(count); count = fields.text()) {
    messages.push(parseMessage(Number(count), fields));
  }
  return { tree, entries, messages };
}

/** `<mode> SP <oid> SP <stage> TAB <path>` */
function parseEntry(field: Buffer): StagedEntry {
  const tab = field.indexOf(0x09);
  const [mode = '', oid = '', stage = ''] = field.toString('latin1', 0, tab).split(' ');
  return {
    path: bytePathFromBuffer(field.subarray(tab + 1)),
    mode: fileMode(mode),
    oid: parseOid(oid),
    stage: Number(stage),
  };
}

/** `<n> NUL`, n paths, the type, the text. */
function parseMessage(count: number, fields: Fields): MergeMessage {
  const paths = Array.from({ length: count }, () => bytePathFromBuffer(fields.next()));
  return { paths, type: fields.text(), text: fields.text().trim() };
}

export function fileMode(octal: string): TreeEntry['mode'] {
  const mode = canonicalMode(octal);
  return mode === '040000' ? '100644' : mode;
}
