/** Which branches made inside an environment appear in the repository, and which are left inside. Pure. */
import type { Oid } from './oid.ts';
import { isRefName } from './ref-name.ts';

/** A bound on what one agent can put into everybody's listings of references. */
export const mostBranches = 1_000;

export interface MirrorFacts {
  /** What the agent's git directory has, by short name. */
  readonly inside: ReadonlyMap<string, Oid>;
  /** What of it was mirrored before. */
  readonly known: ReadonlyMap<string, Oid>;
  /** The environment's own branch, which HEAD speaks for. */
  readonly own: string;
  /** Below what they are mirrored. */
  readonly prefix: string;
  /** Names that differ in case only are one file here. */
  readonly ignoreCase: boolean;
  readonly most?: number;
}

export interface LeftInside {
  readonly branches: readonly string[];
  /** One clause. */
  readonly why: string;
}

export interface MirrorPlan {
  readonly gone: readonly string[];
  /** New, or somewhere else than before. */
  readonly moved: readonly (readonly [branch: string, to: Oid])[];
  readonly left: readonly LeftInside[];
}

export function planMirror(facts: MirrorFacts): MirrorPlan {
  const { inside, known, prefix, most = mostBranches } = facts;
  const { taken, clashing, nameless } = pick(inOrder(facts), prefix, facts.ignoreCase);
  const mirrored = taken.slice(0, most);
  const staying = new Set(mirrored);
  return {
    gone: [...known.keys()].filter((branch) => !staying.has(branch)),
    moved: mirrored.flatMap((branch) => {
      const to = inside.get(branch);
      return to === undefined || known.get(branch) === to ? [] : [[branch, to] as const];
    }),
    left: [
      { branches: taken.slice(most), why: `at most ${most} are brought out` },
      { branches: clashing, why: 'the name cannot be beside another one here' },
      { branches: nameless, why: 'the name is none that a reference can have here' },
    ].filter(({ branches }) => branches.length > 0),
  };
}

/** What is mirrored already, then commits that no other branch has, then further names for the same ones. */
function inOrder({ inside, known, own }: MirrorFacts): readonly string[] {
  const others = [...inside].filter(([branch]) => branch !== own).sort(([one], [other]) => (one < other ? -1 : 1));
  const there = others.filter(([branch]) => known.has(branch));
  const had = new Set([inside.get(own), ...there.map(([, oid]) => oid)]);
  const fresh = others.filter(([branch]) => !known.has(branch));
  const firstOnes = new Set(
    fresh.flatMap(([branch, oid]) => {
      if (had.has(oid)) return [];
      had.add(oid);
      return [branch];
    }),
  );
  const names = [...there, ...fresh].map(([branch]) => branch);
  const rank = (branch: string) => (known.has(branch) ? 0 : firstOnes.has(branch) ? 1 : 2);
  return names.toSorted((one, other) => rank(one) - rank(other));
}

/** Goes by the first of two that clash: the same but for case, or `a` and `a/b`. */
function pick(branches: readonly string[], prefix: string, ignoreCase: boolean) {
  const fold = (branch: string) => (ignoreCase ? branch.toLowerCase() : branch);
  const names = new Set<string>();
  const folders = new Set<string>();
  const taken: string[] = [];
  const clashing: string[] = [];
  const nameless: string[] = [];
  for (const branch of branches) {
    const name = fold(branch);
    const above = foldersOf(name);
    if (!isRefName(prefix + branch)) nameless.push(branch);
    else if (names.has(name) || folders.has(name) || above.some((folder) => names.has(folder))) clashing.push(branch);
    else {
      taken.push(branch);
      names.add(name);
      for (const folder of above) folders.add(folder);
    }
  }
  return { taken, clashing, nameless };
}

function foldersOf(name: string): readonly string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
