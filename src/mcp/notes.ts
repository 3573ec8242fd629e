/**
 * What an agent has not been told yet of the environment that a call was about: conflicts that formed or went away since
 * the last answer, and paths that are held now. For one client; it ends with the connection.
 */
import { shortName } from '../domain/ref-name.ts';
import { visible } from '../domain/terminal-text.ts';
import { type Cell, conflictMatrix, type Side } from '../environment/conflicts/matrix.ts';
import { isConflict } from '../environment/conflicts/pair.ts';
import { readyEnvironments } from '../environment/conflicts/up-to-date.ts';
import { openVerdictCache } from '../environment/conflicts/verdict-cache.ts';
import type { Workplace } from '../environment/workplace.ts';

export interface Notes {
  /** Looks at the conflicts of these environments. */
  look(workplace: Workplace, names: readonly string[]): Promise<Looked>;
  /** What is held in an environment now has become known between two answers. */
  heard(name: string, held: readonly HeldPath[]): void;
  /** What is new of what is held in an environment now; without paths, of what was heard last. */
  held(name: string, paths?: readonly HeldPath[]): readonly string[];
}

export interface Looked {
  readonly notes: readonly string[];
  /** The environments for which something began or ended. */
  readonly moved: readonly string[];
}

export interface HeldPath {
  readonly path: string;
  readonly detail: string;
}

/** The other side of a conflict, and its files. */
interface Conflict {
  readonly other: Side;
  readonly files: string;
}

/** Paths named in one note. */
const most = 5;

/** `bound`: for an agent that has but one environment. */
export function makeNotes(bound: boolean): Notes {
  const conflicts = new Map<string, ReadonlyMap<string, Conflict>>();
  const heard = new Map<string, readonly HeldPath[]>();
  const heldPaths = new Map<string, ReadonlySet<string>>();

  return {
    async look(workplace, names) {
      const environments = await readyEnvironments(workplace);
      const about = new Set(names.filter((name) => environments.some((each) => each.name === name)));
      if (about.size === 0) return { notes: [], moved: [] };
      const cache = await openVerdictCache(workplace.repository.commonDirectory);
      const { cells } = await conflictMatrix(workplace, environments, cache, { about, again: true });
      const looked = [...about].map((name) => {
        const before = conflicts.get(name) ?? new Map<string, Conflict>();
        const now = conflictsOf(name, cells);
        conflicts.set(name, now);
        return notesBetween(name, before, now, bound);
      });
      return { notes: looked.flatMap(({ notes }) => notes), moved: looked.flatMap(({ moved }) => moved) };
    },
    heard: (name, held) => void heard.set(name, held),
    held(name, paths = heard.get(name)) {
      heard.delete(name);
      if (paths === undefined) return [];
      const before = heldPaths.get(name) ?? new Set();
      heldPaths.set(name, new Set(paths.map(keyOfHeld)));
      return paths
        .filter((each) => !before.has(keyOfHeld(each)))
        .map(({ path, detail }) => visible(`${path} is held in ${name}, not on its branch: ${detail}`));
    },
  };
}

function keyOfHeld({ path, detail }: HeldPath): string {
  return JSON.stringify([path, detail]);
}

function conflictsOf(name: string, cells: readonly Cell[]): ReadonlyMap<string, Conflict> {
  const found = cells.filter(({ verdict }) => isConflict(verdict)).flatMap((cell) => conflictOf(name, cell) ?? []);
  return new Map(found.map((conflict) => [idOf(conflict.other), conflict]));
}

function conflictOf(name: string, { ours, theirs, verdict }: Cell): Conflict | undefined {
  const isOwn = (side: Side) => side.kind === 'environment' && side.environment.name === name;
  if (!isOwn(ours) && !isOwn(theirs)) return undefined;
  return { other: isOwn(theirs) ? ours : theirs, files: verdict.kind === 'conflict' ? listed(verdict.files) : '' };
}

function listed(files: readonly { readonly path: string }[]): string {
  const paths = [...new Set(files.map(({ path }) => path))];
  const shown = paths.slice(0, most).join(', ');
  return paths.length > most ? `${shown} and ${paths.length - most} more` : shown;
}

function idOf(side: Side): string {
  return side.kind === 'target' ? side.branch : `${side.environment.name} ${side.environment.record.createdAt}`;
}

function nameOf(side: Side): string {
  return side.kind === 'target' ? `branch ${shortName(side.branch)}` : `environment ${side.environment.name}`;
}

function notesBetween(
  name: string,
  before: ReadonlyMap<string, Conflict>,
  now: ReadonlyMap<string, Conflict>,
  bound: boolean,
): Looked {
  const begun = [...now].filter(([id, { files }]) => before.get(id)?.files !== files);
  const ended = [...before].filter(([id]) => !now.has(id));
  const others = [...begun, ...ended].flatMap(([, { other }]) =>
    other.kind === 'environment' ? [other.environment.name as string] : [],
  );
  return {
    notes: [
      ...begun.map(([, conflict]) => visible(begunNote(name, conflict, bound))),
      ...ended.map(([, { other }]) => visible(`${name} merges cleanly with ${nameOf(other)} again.`)),
    ],
    moved: begun.length + ended.length === 0 ? [] : [name, ...others],
  };
}

function begunNote(name: string, { other, files }: Conflict, bound: boolean): string {
  const what =
    files === ''
      ? `${name} cannot be merged with ${nameOf(other)}.`
      : `${name} now conflicts with ${nameOf(other)}: ${files}.`;
  return `${what} ${wayOut(name, other, bound)}`;
}

/** In tools that the agent has. */
function wayOut(name: string, other: Side, bound: boolean): string {
  if (other.kind === 'target') {
    const sync = `\`sync\` brings ${shortName(other.branch)} into ${name}, to be resolved there`;
    return bound ? `${sync}.` : `${sync}; \`resolve\` makes an environment to resolve it in.`;
  }
  const who = 'Whichever is merged second has to be resolved';
  return bound ? `${who}.` : `${who}; \`resolve\` of ${name} with ${other.environment.name} does it before that.`;
}
