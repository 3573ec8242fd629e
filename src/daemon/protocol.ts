/**
 * What goes over the daemon's socket: one JSON object a line. A request `{v, id, method, params}` is answered with
 * `{id, ok: true, result}` or `{id, ok: false, error}`, in order. After `subscribe` was answered, events follow as
 * `{event}`. `ping` and `stop` keep their shape in every version, so that any client can replace any daemon.
 */
import * as z from 'zod/mini';
import { CoppiceError, type ErrorKind } from '../domain/error.ts';
import { eventSchema, heldSchema } from './events.ts';
import { type Build, daemonStatusSchema, pongSchema } from './status.ts';

export const protocolVersion = 1;
/** Bytes of one request; more is an error. */
export const longestRequest = 65_536;
/** Bytes of one answer. */
export const longestReply = 64 * 2 ** 20;

const text = z.string().check(z.minLength(1));

/** Names a repository: its id is made from the real path of its common git directory. */
const repositorySchema = z.object({ dataDirectory: text, commonDirectory: text, name: z.optional(text) });
export type RepositoryTarget = z.infer<typeof repositorySchema>;

/** Names one of its environments. */
const environmentSchema = z.object({ dataDirectory: text, commonDirectory: text, name: text });
export type EnvironmentTarget = z.infer<typeof environmentSchema>;

const nothing = z.optional(z.object({}));
const done = z.object({});

/** Every method, with the shape of its parameters and of its result. */
export const methods = {
  ping: { params: nothing, result: pongSchema },
  status: { params: nothing, result: daemonStatusSchema },
  /**
   * Look again at what is to be watched in a repository, after an environment was made, started, stopped or removed.
   * With a name, `watching` tells whether that environment is watched now; without, whether any is.
   */
  watch: { params: repositorySchema, result: z.object({ watching: z.boolean() }) },
  /** Answered once nothing of the daemon runs in that environment any more. */
  unwatch: { params: environmentSchema, result: done },
  /**
   * A checkpoint now, of everything or only of what has been announced. Fails with `not-watched` unless exactly that
   * environment is watched by exactly those settings.
   */
  checkpoint: {
    params: z.extend(environmentSchema, {
      key: text,
      cause: text,
      execs: z.array(text),
      announcedOnly: z.boolean(),
    }),
    result: z.object({
      checkpoint: z.nullable(text),
      held: z.array(heldSchema),
      submodules: z.array(text),
      unsettled: z.boolean(),
    }),
  },
  /** Answered at once; the connection closes when the daemon has ended. */
  stop: { params: nothing, result: done },
  subscribe: { params: nothing, result: done },
} as const;
export type Method = keyof typeof methods;
export type ParamsOf<Name extends Method> = z.infer<(typeof methods)[Name]['params']>;
export type ResultOf<Name extends Method> = z.infer<(typeof methods)[Name]['result']>;

const requestSchema = z.object({ v: z.number(), id: z.number(), method: z.string(), params: z.optional(z.unknown()) });

/** A request whose parameters fit its method. */
export type Request = {
  [Name in Method]: { readonly id: number; readonly method: Name; readonly params: ParamsOf<Name> };
}[Method];

const stable: readonly string[] = ['ping', 'stop'] satisfies readonly Method[];

const kinds = ['failed', 'usage', 'not-found', 'conflict', 'unavailable', 'refused', 'bug', 'interrupted'] as const;
const errorSchema = z.object({
  kind: z.enum(kinds satisfies readonly ErrorKind[]),
  code: z.string(),
  message: z.string(),
  hint: z.optional(z.string()),
});
export type WireError = z.infer<typeof errorSchema>;

export const messageSchema = z.union([
  z.object({ id: z.number(), ok: z.literal(true), result: z.unknown() }),
  /** `id` is null when the request could not be read. */
  z.object({ id: z.nullable(z.number()), ok: z.literal(false), error: errorSchema }),
  z.object({ event: eventSchema }),
]);
export type Message = z.infer<typeof messageSchema>;

/** Throws `bad-request`, `unknown-method` (kind `usage`) or `protocol-mismatch` (kind `unavailable`). */
export function parseRequest(line: string): Request {
  const envelope = requestSchema.safeParse(parseJson(line));
  if (!envelope.success) throw new CoppiceError('usage', 'bad-request', 'The request is not one this daemon can read.');
  const { v, id, method, params } = envelope.data;
  if (v !== protocolVersion && !stable.includes(method)) {
    throw new CoppiceError(
      'unavailable',
      'protocol-mismatch',
      `The daemon speaks version ${protocolVersion}, not ${v}.`,
      {
        data: { id },
      },
    );
  }
  if (!isMethod(method)) {
    throw new CoppiceError('usage', 'unknown-method', `The daemon knows no ${JSON.stringify(method)}.`, {
      data: { id },
    });
  }
  const parsed = methods[method].params.safeParse(params);
  if (!parsed.success) {
    throw new CoppiceError('usage', 'bad-request', `The parameters of ${method} are not as they should be.`, {
      data: { id },
    });
  }
  return { id, method, params: parsed.data } as Request;
}

/** Throws `bad-reply` (kind `unavailable`). */
export function parseMessage(line: string): Message {
  const parsed = messageSchema.safeParse(parseJson(line));
  if (parsed.success) return parsed.data;
  throw new CoppiceError('unavailable', 'bad-reply', 'The daemon gave an answer that this coppice cannot read.', {
    hint: 'Run `coppice daemon stop` and try again.',
  });
}

export function encode(message: unknown): string {
  return `${JSON.stringify(message)}\n`;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof CoppiceError)) {
    return { kind: 'bug', code: 'bug', message: error instanceof Error ? error.message : String(error) };
  }
  const { kind, code, message, hint } = error;
  return { kind, code, message, ...(hint === undefined ? {} : { hint }) };
}

export function fromWire({ kind, code, message, hint }: WireError): CoppiceError {
  return new CoppiceError(kind, code, message, hint === undefined ? {} : { hint });
}

/** Whether `left` should take the place of `right`. Two builds never each think so. */
export function isNewer(left: Build, right: Build): boolean {
  if (left.protocol !== right.protocol) return left.protocol > right.protocol;
  const order = compareVersions(left.version, right.version);
  return order === 0 ? left.stamp > right.stamp : order > 0;
}

function compareVersions(left: string, right: string): number {
  const numbers = (version: string) => version.split(/[.+-]/).map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [numbers(left), numbers(right)];
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function isMethod(text: string): text is Method {
  return Object.hasOwn(methods, text);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
