/** One connected client: what is known of it, and what its calls share. */
import type { Confirm } from '../environment/access/approval.ts';
import type { Context } from '../operations/operation.ts';
import type { Changes } from './changes.ts';
import type { Notes } from './notes.ts';
import type { Seal } from './person.ts';
import type { Scope } from './scope.ts';
import type { ClientCapabilities, Sdk, ServerContext } from './sdk.ts';

/** Opens what an operation runs in. Each call has its own, as each command has: settings that changed count at once. */
export type OpenContext = (caller: CallersPart) => OpenedContext;
export type OpenedContext = Context & { close(): Promise<void> };

export interface CallersPart extends Pick<Context, 'report' | 'emit' | 'signal' | 'streams'> {
  readonly confirm?: Confirm;
}

export interface Client {
  readonly scope: Scope;
  readonly sdk: Sdk;
  readonly inputRequired: Sdk['inputRequired'];
  readonly seal: Seal;
  readonly open: OpenContext;
  readonly notes: Notes;
  readonly changes: Changes;
  /** What it can do, as far as it said so with this request or when it connected. */
  capabilities(context: ServerContext): ClientCapabilities | undefined;
  /** A line for whoever reads the client's log of this server. */
  report(line: string): void;
  /** A call that runs: it is waited for before the server ends. */
  track<Result>(call: Promise<Result>): Promise<Result>;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
}
