/**
 * A verb of coppice, written once. The CLI command, the library function and the README row are made from it; so will be
 * every further surface.
 */
import type { Readable, Writable } from 'node:stream';
import * as z from 'zod/mini';
import type { Confirm } from '../environment/access/approval.ts';
import type { Machine } from '../environment/examine.ts';
import type { DaemonPort, Workplace } from '../environment/workplace.ts';
import type { Surroundings } from '../platform/surroundings.ts';
import type { Tool } from './tool.ts';

/** How an input shows on the command line and in the README. */
export interface Flag {
  readonly help: string;
  /** `-m`. */
  readonly short?: string;
  /** What stands for the value in the help: `REV`. */
  readonly value?: string;
  /** `argument`: positional. `rest`: everything after `--`. Default: an option. */
  readonly place?: 'argument' | 'rest';
}

export const flags = z.registry<Flag>();

/** Describes one input of an operation. */
export function flag<Schema extends z.ZodMiniType>(schema: Schema, facts: Flag): Schema {
  flags.add(schema, facts);
  z.globalRegistry.add(schema, { description: facts.help });
  return schema;
}

/** The caller's streams, for operations that pass a command's input and output through. */
export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Set when stdin is to be passed on (not a terminal, or one in raw mode). */
  readonly passStdin: boolean;
  /** The size of the caller's terminal, when stdin and stdout are one. */
  readonly terminal?: {
    size(): { readonly rows: number; readonly columns: number };
    onResize(listener: () => void): () => void;
    /** Raw mode on; returns how to restore it. */
    raw(): () => void;
  };
  /** SIGINT, SIGTERM, SIGHUP sent to the caller while a command runs; returns how to stop listening. */
  onSignal(listener: (name: NodeJS.Signals) => void): () => void;
}

export interface Context {
  readonly surroundings: Surroundings;
  /** Opens the repository the caller stands in, once. Throws `not-a-repository`. */
  workplace(): Promise<Workplace>;
  /** Narration: one line for stderr. */
  report(message: string): void;
  /** One event of an operation that streams: a line of stdout, NDJSON with --json. */
  emit(event: Readonly<Record<string, unknown>>): void;
  readonly signal: AbortSignal;
  /** Absent where there is nobody to stream to. */
  readonly streams?: Streams;
  /** Shows text to a person and asks for a yes. Absent where there is nobody to ask. */
  readonly confirm?: Confirm;
  /** The daemon, which needs no repository. */
  daemon(): Promise<DaemonPort>;
  /** What needs no repository either: runtimes, git, the user. */
  machine(): Promise<Machine>;
  /** Serves the other operations over MCP on the caller's streams, until the client hangs up; all of them, or of one environment. */
  serveClient(environment: string | undefined): Promise<void>;
  /** The same operations somewhere else: another directory, another home. The caller closes it. */
  within(surroundings: Surroundings): Context & { close(): Promise<void> };
  /** What starts this program again, for the daemon: executable and leading arguments. */
  readonly program: readonly string[];
}

/** What the renderer may use. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  readonly colour: boolean;
  readonly now: Date;
}

export type Effect = 'read' | 'write' | 'destroy';

export interface Operation<Shape extends z.core.$ZodLooseShape, Output> {
  readonly name: string;
  /** One line, for lists. */
  readonly summary: string;
  /** More, for `--help`. */
  readonly details?: string;
  readonly effect: Effect;
  /** What it is to agents. */
  readonly tool: Tool<Extract<keyof Shape, string>>;
  readonly input: z.ZodMiniObject<Shape, z.core.$strict>;
  /** Bumped when the output's shape changes incompatibly: `coppice.<name>/<version>` in `--json`. */
  readonly version: number;
  run(context: Context, input: z.output<z.ZodMiniObject<Shape, z.core.$strict>>): Promise<Output>;
  /** The answer for people, without a last newline; empty for none. */
  render(output: Output, style: Style): string;
  /** The answer for those who saw nothing stream, where `render` leaves that out. */
  renderWhole?(output: Output): string;
  /** What is printed instead where stdout is no terminal: data for other programs, byte for byte. */
  exact?(output: Output): string | undefined;
  /** Whether the answer is its events, and nothing is said at the end. Default: where it renders events. */
  streams?(input: z.output<z.ZodMiniObject<Shape, z.core.$strict>>): boolean;
  /** Whether stdin and stdout are for a protocol: nothing else is written there, with --json or without. */
  speaks?(input: z.output<z.ZodMiniObject<Shape, z.core.$strict>>): boolean;
  /** One streamed event for people, without a line end; only for operations that emit. */
  renderEvent?(event: Readonly<Record<string, unknown>>, style: Style): string;
  /** Default 0. */
  exitStatus?(output: Output): number;
}

/** Keeps the types of input and output joined to the operation. */
export function operation<Shape extends z.core.$ZodLooseShape, Output>(
  definition: Operation<Shape, Output>,
): Operation<Shape, Output> {
  return definition;
}

/** An operation whatever its types, for surfaces that treat all alike. */
// biome-ignore lint/suspicious/noExplicitAny: the one place where operations of all types meet
export type AnyOperation = Operation<any, any>;

const nameFacts: Flag = {
  help: 'The environment. May be left out where there is only one, or inside its worktree.',
  place: 'argument',
  value: 'NAME',
};

/** The NAME argument that nearly every operation takes. */
export function nameArgument() {
  return flag(z.optional(z.string()), nameFacts);
}

/** Any number of environments, for operations on several at once. */
export function namesArgument(help: string) {
  return flag(z.optional(z.array(z.string())), { help, place: 'argument', value: 'NAME' });
}
