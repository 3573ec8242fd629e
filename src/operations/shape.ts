/** Reads an operation's input schema the way every surface needs it: one row per input. */
import type * as z from 'zod/mini';
import { type AnyOperation, type Flag, flags } from './operation.ts';

export interface Field extends Flag {
  /** Name in the input object. */
  readonly key: string;
  /** Name on the command line: `--with-changes`. */
  readonly option: string;
  readonly type: 'boolean' | 'list' | 'value';
  readonly required: boolean;
  readonly choices: readonly string[] | undefined;
}

export function fieldsOf(operation: AnyOperation): readonly Field[] {
  const shape = operation.input.def.shape as Readonly<Record<string, z.ZodMiniType>>;
  return Object.entries(shape).map(([key, schema]) => {
    const facts = flags.get(schema);
    if (facts === undefined) throw new TypeError(`${operation.name}: the input ${key} has no description`);
    const inner = unwrap(schema);
    return {
      ...facts,
      key,
      option: `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      type: inner.def.type === 'boolean' ? 'boolean' : inner.def.type === 'array' ? 'list' : 'value',
      required: inner === schema,
      choices:
        inner.def.type === 'enum' ? Object.keys((inner.def as unknown as { entries: object }).entries) : undefined,
    };
  });
}

function unwrap(schema: z.ZodMiniType): z.ZodMiniType {
  const { def } = schema as unknown as { def: { type: string; innerType?: z.ZodMiniType } };
  return (def.type === 'optional' || def.type === 'default') && def.innerType !== undefined
    ? unwrap(def.innerType)
    : schema;
}
