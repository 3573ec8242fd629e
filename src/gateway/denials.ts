/** Remembers what was denied: bounded, and told to the outside soon but not too often. */
import { deniedHost } from '../domain/denied-host.ts';
import type { Denial, DenialReason, Denials } from '../domain/network.ts';

/** How many are kept: all of it has to fit into one line of a container's log (16 KiB). */
const most = 60;

/** Milliseconds in which further ones are gathered. */
const gathering = 40;

export interface DenialLog {
  add(host: string, port: number | null, reason: DenialReason): void;
}

/** The latest first; one that comes again moves to the front. Whoever asks for many different hosts cannot hide the total. */
export function denialLog(tell: (denials: Denials) => void, now: () => Date = () => new Date()): DenialLog {
  const kept = new Map<string, Denial>();
  let total = 0;
  let gathered = false;
  const flush = () => {
    gathered = false;
    tell({ total, recent: [...kept.values()].reverse() });
  };
  return {
    add(given, port, reason) {
      const host = deniedHost(given);
      const key = `${host} ${port} ${reason}`;
      const before = kept.get(key);
      const last = now().toISOString();
      kept.delete(key);
      kept.set(key, { host, port, reason, count: (before?.count ?? 0) + 1, first: before?.first ?? last, last });
      const [oldest] = kept.keys();
      if (kept.size > most && oldest !== undefined) kept.delete(oldest);
      total += 1;
      if (!gathered) setTimeout(flush, gathering);
      gathered = true;
    },
  };
}
