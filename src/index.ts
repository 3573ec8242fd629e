/** The library: the same operations as the command line, typed. */
import type { Readable, Writable } from 'node:stream';
import type { output } from 'zod/mini';
import { CoppiceError } from './domain/error.ts';
import { openContext } from './open.ts';
import { catalog, type OperationName, operationNames } from './operations/catalog.ts';
import type { AnyOperation } from './operations/operation.ts';
import { parseInput } from './operations/parse-input.ts';
import { surroundingsOf } from './platform/surroundings.ts';

type Loaded<Name extends OperationName> = Awaited<ReturnType<(typeof catalog)[Name]>>;
/** What an operation takes: the same names as the options of the command, in camel case. */
export type InputOf<Name extends OperationName> = Partial<output<Loaded<Name>['input']>>;
/** What `--json` prints, without its `schema`. */
export type OutputOf<Name extends OperationName> = Awaited<ReturnType<Loaded<Name>['run']>>;

export type Coppice = {
  readonly [Name in OperationName]: (input?: InputOf<Name>) => Promise<OutputOf<Name>>;
} & {
  /** Releases what is held open. */
  close(): Promise<void>;
};

export interface OpenOptions {
  /** A directory of the repository. Default: the current one. */
  readonly directory?: string;
  /** The environment of the processes coppice starts. Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Narration of longer steps, a line each. */
  readonly report?: (message: string) => void;
  readonly onEvent?: (event: Readonly<Record<string, unknown>>) => void;
  readonly signal?: AbortSignal;
  /** Where the output of `exec` goes as it comes. It is in the answer in any case. */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly stdin?: Readable;
}

/** Opens the repository that a directory belongs to. Every method throws CoppiceError as the command line explains it. */
export function openCoppice(options: OpenOptions = {}): Coppice {
  const { stdin, stdout, stderr } = options;
  const surroundings = surroundingsOf(options.directory ?? process.cwd(), options.env ?? process.env);
  const context = openContext(surroundings, {
    report: options.report ?? (() => undefined),
    emit: options.onEvent ?? (() => undefined),
    signal: options.signal ?? new AbortController().signal,
    program: [],
    ...(stdout === undefined || stderr === undefined
      ? {}
      : {
          streams: {
            stdin: stdin ?? process.stdin,
            stdout,
            stderr,
            passStdin: stdin !== undefined,
            onSignal: () => () => undefined,
          },
        }),
  });
  const call = async (name: OperationName, input: unknown) => {
    const operation: AnyOperation = await catalog[name]();
    return operation.run(
      context,
      parseInput(operation, (input ?? {}) as Record<string, unknown>, ({ key }) => key),
    );
  };
  const methods = Object.fromEntries(operationNames.map((name) => [name, (input: unknown) => call(name, input)]));
  return { ...methods, close: () => context.close() } as unknown as Coppice;
}

export type { ErrorKind } from './domain/error.ts';
export type { OperationName } from './operations/catalog.ts';
export { CoppiceError };
