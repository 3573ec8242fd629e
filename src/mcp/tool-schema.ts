/** JSON schemas of a tool, from the schema that the command line is made from. */
import * as z from 'zod/mini';
import type { AnyOperation } from '../operations/operation.ts';
import type { OfferedTool } from '../operations/tool.ts';
import { absentInputs, type Scope } from './scope.ts';

type Json = Readonly<Record<string, unknown>>;

/** The operation's input without what agents do not have; what a person has to agree to says so. */
export function inputSchemaOf(operation: AnyOperation, facts: OfferedTool<string>, scope: Scope): Json {
  const { properties = {}, required = [], ...rest } = z.toJSONSchema(operation.input, { io: 'input' });
  const absent = absentInputs(operation, facts, scope);
  const asks = facts.asks ?? {};
  const shown = Object.entries(properties)
    .filter(([key]) => !absent.has(key))
    .map(([key, schema]) => [key, key in asks ? asking(schema as Json, facts.defaults?.[key]) : schema]);
  const { $schema: _, ...bare } = rest;
  const needed = required.filter((key) => !absent.has(key));
  return { ...bare, properties: Object.fromEntries(shown), ...(needed.length > 0 ? { required: needed } : {}) };
}

/** `standard`: what is meant for agents where nothing is given; then it is anything else that a person is asked about. */
function asking({ description, ...schema }: Json, standard: unknown): Json {
  if (standard === undefined) return { ...schema, description: `${description} A person is asked.` };
  const unless = `Default here: ${JSON.stringify(standard)}; for anything else a person is asked.`;
  return { ...schema, default: standard, description: `${description} ${unless}` };
}

/**
 * What `--json` prints, and `notes`. A failure has the same envelope: there are clients that check failed answers by it
 * too, so that nothing but the schema's name can be required.
 */
export function outputSchemaOf({ name, version }: AnyOperation): Json {
  return {
    type: 'object',
    properties: {
      schema: { type: 'string', description: `coppice.${name}/${version}, or coppice.error/1` },
      notes: { type: 'array', items: { type: 'string' }, description: 'What has come up since the last answer.' },
      error: { type: 'object', description: 'Of coppice.error/1: code, kind, message, hint, data.' },
    },
    required: ['schema'],
  };
}

/** Values are checked by the operation, which says in its own words what is wrong with them. */
export function unchecked(json: Json) {
  const convert = () => ({ ...json });
  return {
    '~standard': {
      version: 1 as const,
      vendor: 'coppice',
      validate: (value: unknown) => ({ value: (value ?? {}) as Record<string, unknown> }),
      jsonSchema: { input: convert, output: convert },
    },
  };
}
