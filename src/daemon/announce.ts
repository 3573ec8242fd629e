/** Turns what a checkpoint gave into events, and remembers what the status shows of it. */
import { textOf } from '../domain/byte-path.ts';
import { type Cause, subjectOf } from '../domain/checkpoint.ts';
import type { Clock } from './clock.ts';
import type { Happening } from './events.ts';
import type { EnvironmentStatus } from './status.ts';
import type { Checkpointed } from './watched.ts';

/** Changes listed in one event. */
const listed = 50;

export interface Announcer {
  readonly lastCheckpoint: EnvironmentStatus['lastCheckpoint'];
  /** Paths held now. */
  readonly held: number;
  announce(result: Checkpointed, cause: Cause): void;
}

export function makeAnnouncer(clock: Clock, emit: (happening: Happening) => void): Announcer {
  let lastCheckpoint: EnvironmentStatus['lastCheckpoint'] = null;
  let held: Checkpointed['held'] = [];
  return {
    get lastCheckpoint() {
      return lastCheckpoint;
    },
    get held() {
      return held.length;
    },
    announce: (result, cause) => {
      if (result.checkpoint !== undefined) {
        lastCheckpoint = { oid: result.checkpoint, at: clock.date().toISOString() };
        emit(checkpointEvent(result.checkpoint, result.changes, result.cause ?? cause));
      }
      if (JSON.stringify(result.held) !== JSON.stringify(held)) emit(heldEvent(result.held));
      held = result.held;
    },
  };
}

function checkpointEvent(oid: string, changes: Checkpointed['changes'], cause: Cause): Happening {
  return {
    type: 'checkpoint',
    oid,
    subject: subjectOf(changes),
    cause,
    changed: changes.length,
    changes: changes.slice(0, listed).map(({ path, kind }) => ({ path: textOf(path), kind })),
  };
}

function heldEvent(held: Checkpointed['held']): Happening {
  return { type: 'held', held: held.map(({ path, reason, detail }) => ({ path: textOf(path), reason, detail })) };
}
