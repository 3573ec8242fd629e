/** Reads what `git merge-tree --write-tree -z --messages` prints. Pure. */
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

/** `<tree> NUL`, entries each ending in NUL, an empty field, then messages (git-merge-tree(1), OUTPUT). */
export function parseMergeReport(output: Buffer): MergeReport {
  const fields = fieldsOf(output);
  const tree = parseOid(fields.text());
  const entries: StagedEntry[] = [];
  for (let field = fields.next(); field.length > 0; field = fields.next()) entries.push(parseEntry(field));
  const messages: MergeMessage[] = [];
  while (!fields.done) messages.push(parseMessage(fields));
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
function parseMessage(fields: Fields): MergeMessage {
  const count = Number(fields.text());
  const paths = Array.from({ length: count }, () => bytePathFromBuffer(fields.next()));
  return { paths, type: fields.text(), text: fields.text().trim() };
}

export function fileMode(octal: string): TreeEntry['mode'] {
  const mode = canonicalMode(octal);
  return mode === '040000' ? '100644' : mode;
}
