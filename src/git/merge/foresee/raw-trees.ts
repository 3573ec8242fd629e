/** Tree objects as the bytes they are, remembered: of two that differ little, little more than the difference is looked at. */
import { CoppiceError } from '../../../domain/error.ts';
import type { ObjectFormat, Oid } from '../../../domain/oid.ts';
import type { ObjectReader } from '../../checkpoint/object-reader.ts';
import { canonicalMode } from '../../objects/tree-object.ts';
import type { ListedEntry } from '../../repository.ts';

export interface TreeItem {
  readonly name: string;
  readonly mode: ListedEntry['mode'];
  readonly oid: Oid;
}

export interface RawTrees {
  /** Throws `object-missing`. */
  read(oid: Oid): Promise<Buffer>;
  /** Throws `object-missing`. */
  entryAt(root: Oid, names: readonly string[]): Promise<TreeItem | undefined>;
  /** Entries of one that are not just so in the other. */
  differences(before: Buffer, after: Buffer): readonly Difference[];
}

/** A file in a directory's place is two of them: one is gone, one has come. */
export interface Difference {
  readonly before: TreeItem | undefined;
  readonly after: TreeItem | undefined;
}

/** Bytes of trees a process remembers. */
const mostBytes = 16 * 2 ** 20;

/** `reader`: asked for what is not remembered. */
export function rememberTrees(format: ObjectFormat, reader: ObjectReader): RawTrees {
  const known = new Map<Oid, Buffer>();
  let bytes = 0;
  const keep = (oid: Oid, content: Buffer) => {
    // What the reader hands out is a part of a larger buffer.
    const copy = Buffer.from(content);
    known.set(oid, copy);
    bytes += copy.length;
    for (const [oldest, { length }] of known) {
      if (bytes <= mostBytes || oldest === oid) return copy;
      known.delete(oldest);
      bytes -= length;
    }
    return copy;
  };
  const underWay = new Map<Oid, Promise<Buffer>>();
  const fetch = async (oid: Oid) => {
    const object = await reader.read(oid);
    underWay.delete(oid);
    if (object?.kind !== 'tree') throw missing(oid);
    return keep(oid, object.content);
  };
  const read = async (oid: Oid) => {
    const found = known.get(oid);
    if (found !== undefined) {
      known.delete(oid);
      known.set(oid, found);
      return found;
    }
    const asked = underWay.get(oid) ?? fetch(oid);
    underWay.set(oid, asked);
    return asked;
  };
  return {
    read,
    differences: (before, after) => differences(before, after, format),
    async entryAt(root, names) {
      let item: TreeItem | undefined = { name: '', mode: directory, oid: root };
      for (const name of names) {
        if (item?.mode !== directory) return undefined;
        item = find(await read(item.oid), name, format);
      }
      return item;
    },
  };
}

export const directory = '040000';

/** Where one entry is: `<mode> SP <name> NUL <raw object name>`. */
interface Place {
  readonly start: number;
  readonly space: number;
  readonly nul: number;
  readonly end: number;
}

function placeAt(tree: Buffer, start: number, format: ObjectFormat): Place | undefined {
  if (start >= tree.length) return undefined;
  const space = tree.indexOf(0x20, start);
  const nul = tree.indexOf(0, space);
  const end = nul + 1 + (format === 'sha1' ? 20 : 32);
  if (space < 0 || nul < 0 || end > tree.length) throw malformed();
  return { start, space, nul, end };
}

function itemAt(tree: Buffer, { start, space, nul, end }: Place): TreeItem {
  return {
    name: tree.toString('latin1', space + 1, nul),
    mode: canonicalMode(tree.toString('latin1', start, space)),
    oid: tree.toString('hex', nul + 1, end) as Oid,
  };
}

function find(tree: Buffer, name: string, format: ObjectFormat): TreeItem | undefined {
  const wanted = Buffer.from(name, 'latin1');
  for (let place = placeAt(tree, 0, format); place !== undefined; place = placeAt(tree, place.end, format)) {
    const { space, nul } = place;
    if (nul - space - 1 === wanted.length && tree.compare(wanted, 0, wanted.length, space + 1, nul) === 0) {
      return itemAt(tree, place);
    }
  }
  return undefined;
}

function differences(before: Buffer, after: Buffer, format: ObjectFormat): readonly Difference[] {
  const found: Difference[] = [];
  let left = placeAt(before, 0, format);
  let right = placeAt(after, 0, format);
  while (left !== undefined || right !== undefined) {
    const same = left !== undefined && right !== undefined && alike(before, left, after, right);
    const each = same ? undefined : lesser(left && itemAt(before, left), right && itemAt(after, right));
    if (each !== undefined && !sameItem(each)) found.push(each);
    if (left !== undefined && (same || each?.before !== undefined)) left = placeAt(before, left.end, format);
    if (right !== undefined && (same || each?.after !== undefined)) right = placeAt(after, right.end, format);
  }
  return found;
}

/** Whichever comes first, or both of one name. */
function lesser(before: TreeItem | undefined, after: TreeItem | undefined): Difference {
  const order = before === undefined ? 1 : after === undefined ? -1 : compare(before, after);
  return { before: order <= 0 ? before : undefined, after: order >= 0 ? after : undefined };
}

/** Modes can be written in more than one way. */
function sameItem({ before, after }: Difference): boolean {
  return before?.oid === after?.oid && before?.mode === after?.mode;
}

function alike(before: Buffer, left: Place, after: Buffer, right: Place): boolean {
  return (
    left.end - left.start === right.end - right.start &&
    before.compare(after, right.start, right.end, left.start, left.end) === 0
  );
}

/** Git sorts a directory as if its name ended in a slash. */
function compare(left: TreeItem, right: TreeItem): number {
  const [one, other] = [left, right].map(({ name, mode }) => (mode === directory ? `${name}/` : name));
  return one === other ? 0 : (one ?? '') < (other ?? '') ? -1 : 1;
}

function missing(oid: Oid): CoppiceError {
  return new CoppiceError('failed', 'object-missing', `The repository has no tree ${oid}.`, {
    hint: 'Run `git fsck`.',
    data: { oid },
  });
}

function malformed(): CoppiceError {
  return new CoppiceError('failed', 'object-missing', 'A tree in the repository is not one.', {
    hint: 'Run `git fsck`.',
  });
}
