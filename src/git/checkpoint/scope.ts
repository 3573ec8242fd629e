/** Which part of a tree to look at: everything, or certain paths with all below them. */
import type { BytePath } from '../../domain/byte-path.ts';

export interface Scope {
  /** This path and everything below it. */
  readonly whole: boolean;
  readonly children: ReadonlyMap<string, Scope>;
}

interface GrowingScope extends Scope {
  whole: boolean;
  readonly children: Map<string, GrowingScope>;
}

export const everything: Scope = { whole: true, children: new Map() };

/** `''` is the root: everything. */
export function scopeOf(paths: Iterable<BytePath | ''>): Scope {
  const root: GrowingScope = { whole: false, children: new Map() };
  for (const path of paths) {
    if (path === '') return everything;
    let node = root;
    for (const name of path.split('/')) {
      if (node.whole) break;
      let child = node.children.get(name);
      if (child === undefined) {
        child = { whole: false, children: new Map() };
        node.children.set(name, child);
      }
      node = child;
    }
    node.whole = true;
    node.children.clear();
  }
  return root;
}

/** Whether the path or a directory above it is in the set; '' covers everything. */
export function covers(covered: ReadonlySet<BytePath | ''>, path: BytePath | ''): boolean {
  if (covered.has('') || covered.has(path)) return true;
  for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
    if (covered.has(path.slice(0, cut) as BytePath)) return true;
  }
  return false;
}
