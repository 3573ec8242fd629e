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

/** What is mirrored already goes before what is new; then names in their order. */
export function planMirror(facts: MirrorFacts): MirrorPlan {
  const { inside, known, own, prefix, most = mostBranches } = facts;
  const others = [...inside.keys()].filter((branch) => branch !== own).sort();
  const { taken, clashing, nameless } = pick(
    [...others.filter((branch) => known.has(branch)), ...others.filter((branch) => !known.has(branch))],
    prefix,
    facts.ignoreCase,
  );
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
