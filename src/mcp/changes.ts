/**
 * Tells the client that something it can read has changed, from what the daemon tells. The daemon is started on demand; while
 * there is none, what calls happen to find out is told all the same, only later.
 */
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { OpenContext } from './client.ts';
import type { HeldPath } from './notes.ts';
import { conflictsUri, environmentConflictsUri, environmentsUri, environmentUri } from './uris.ts';

export interface Changes {
  /** Listens to the daemon, unless it does already. Answers at once. */
  follow(): void;
  /** Conflicts of these environments began or ended. */
  moved(names: readonly string[]): void;
  /** Resolves when nothing listens any more, after `signal`. */
  ended(): Promise<void>;
}

export interface Listener {
  updated(uri: string): void;
  held(name: string, held: readonly HeldPath[]): void;
  /** Environments came or went. */
  listChanged(): void;
}

interface Event {
  readonly repository: string;
  readonly name: string;
  readonly type: string;
  readonly held?: readonly HeldPath[];
  readonly with?: { readonly kind: string; readonly name: string };
}

/** `only`: the one environment that the client gets to see. */
export function followChanges(
  {
    open,
    signal,
    report,
    only,
  }: {
    readonly open: OpenContext;
    readonly signal: AbortSignal;
    readonly report: (line: string) => void;
    readonly only: string | undefined;
  },
  listener: Listener,
): Changes {
  let following: Promise<void> | undefined;
  let off = false;

  const tell = (uris: readonly string[]) => {
    for (const uri of new Set(uris)) if (isSeen(uri, only)) listener.updated(uri);
  };
  const listen = async () => {
    const context = open({ report, emit: () => undefined, signal });
    try {
      const { repository } = await context.workplace();
      const port = await context.daemon();
      for await (const event of port.events(signal)) {
        const { repository: where, ...happened } = event as unknown as Event;
        if (where !== repository.id) continue;
        if (happened.type === 'state') listener.listChanged();
        if (happened.held !== undefined) listener.held(happened.name, happened.held);
        tell(touchedBy(happened));
      }
    } catch (error) {
      // Without it things are told later; why there is none `doctor` says.
      off = hasCode(error, 'daemon-off');
      if (!(error instanceof CoppiceError)) report(`The daemon is not listened to: ${String(error)}`);
    } finally {
      await context.close();
    }
  };
  return {
    follow() {
      if (signal.aborted || off) return;
      following ??= listen().finally(() => {
        // The next call starts it again, and not this: somebody may have stopped it.
        following = undefined;
      });
    },
    moved: (names) => {
      if (names.length > 0) tell([...names.flatMap(ofConflict), conflictsUri, environmentsUri]);
    },
    ended: async () => following,
  };
}

function isSeen(uri: string, only: string | undefined): boolean {
  return only === undefined || uri === environmentUri(only) || uri === environmentConflictsUri(only);
}

function ofConflict(name: string): readonly string[] {
  return [environmentConflictsUri(name), environmentUri(name)];
}

function touchedBy({ type, name, with: other }: Omit<Event, 'repository'>): readonly string[] {
  if (type !== 'conflict') return [environmentUri(name), ...(type === 'held' ? [] : [environmentsUri])];
  const others = other?.kind === 'environment' ? ofConflict(other.name) : [];
  return [...ofConflict(name), ...others, conflictsUri, environmentsUri];
}
