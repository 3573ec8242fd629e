/** Says in one sentence what is wrong in a file of settings: the key, the problem, and the nearest key on a typo. */
import type * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';

interface Complaint {
  /** `limits.memory`; empty for the file as a whole. */
  readonly key: string;
  readonly problem: string;
  readonly hint: string;
}

export interface SettingsFile {
  /** As a person would name it. */
  readonly name: string;
  /** Code of the error, e.g. `bad-settings`. */
  readonly code: string;
}

/** Parses JSON and holds it to the schema. Throws `usage` with the file's code: every problem in data, the first in the sentence. */
export function parseSettings<Schema extends z.ZodMiniType>(
  text: string,
  schema: Schema,
  file: SettingsFile,
): z.output<Schema> {
  const parsed = schema.safeParse(parseJson(text, file));
  if (parsed.success) return parsed.data;
  const complaints = parsed.error.issues.map((issue) => explain(issue, schema));
  const [first] = complaints;
  const where = first === undefined || first.key === '' ? '' : `${first.key} `;
  throw new CoppiceError('usage', file.code, `${file.name}: ${where}${first?.problem ?? 'cannot be used'}.`, {
    hint: first?.hint ?? 'Correct the file.',
    data: { file: file.name, problems: complaints.map(({ key, problem }) => ({ key, problem })) },
  });
}

function parseJson(text: string, file: SettingsFile): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CoppiceError('usage', file.code, `${file.name} is not JSON: ${error.message}.`, {
      hint: 'Comments and commas after the last entry are not allowed in JSON.',
      data: { file: file.name },
      cause: error,
    });
  }
}

function explain(issue: z.core.$ZodIssue, schema: z.ZodMiniType): Complaint {
  const key = issue.path.map(String).join('.');
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKey(issue.path, issue.keys[0] ?? '', keysAt(schema, issue.path));
    case 'invalid_type':
      return { key, problem: `must be ${article(issue.expected)}`, hint: 'Change its value.' };
    case 'invalid_value':
      return {
        key,
        problem: `must be one of ${issue.values.map((each) => JSON.stringify(each)).join(', ')}`,
        hint: 'Choose one of these.',
      };
    case 'too_small':
      return { key, problem: tooSmall(issue), hint: 'Change its value.' };
    case 'invalid_union':
      return ofUnion(issue, schema);
    case 'invalid_key':
      return { key, problem: issue.issues[0]?.message ?? issue.message, hint: 'Change the key.' };
    default:
      return { key, problem: issue.message, hint: 'Change its value.' };
  }
}

/** Of the ways to write it, the one that was most likely meant: whose complaint goes deepest, or is about a key. */
function ofUnion(issue: z.core.$ZodIssueInvalidUnion, schema: z.ZodMiniType): Complaint {
  const depth = ({ path, code }: z.core.$ZodIssue) => (code === 'invalid_type' ? 0 : 1) + 2 * path.length;
  const isKey = ({ code }: z.core.$ZodIssue) => (code === 'unrecognized_keys' ? 2 : 0);
  const [likely] = issue.errors
    .flatMap(([first]) => (first === undefined ? [] : [first]))
    .toSorted((one, other) => depth(other) + isKey(other) - depth(one) - isKey(one));
  const key = issue.path.map(String).join('.');
  if (likely === undefined) return { key, problem: issue.message, hint: 'Change its value.' };
  return explain({ ...likely, path: [...issue.path, ...likely.path] }, schema);
}

function unknownKey(path: readonly PropertyKey[], name: string, known: readonly string[]): Complaint {
  const nearest = nearestOf(name, known);
  return {
    key: [...path.map(String), name].join('.'),
    problem: 'is not a key coppice knows',
    hint: nearest === undefined ? `Known here are ${known.join(', ')}.` : `Did you mean ${nearest}?`,
  };
}

function tooSmall(issue: z.core.$ZodIssueTooSmall): string {
  if (issue.origin === 'string') return 'must not be empty';
  return `must be ${issue.inclusive === true ? 'at least' : 'more than'} ${String(issue.minimum)}`;
}

const articles: Readonly<Record<string, string>> = {
  string: 'text in quotes',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object in braces',
  record: 'an object in braces',
  array: 'a list in brackets',
};

function article(expected: string): string {
  return articles[expected] ?? expected;
}

/** Keys of the object that `path` leads to. */
function keysAt(schema: z.ZodMiniType, path: readonly PropertyKey[]): readonly string[] {
  let shape = shapeOf(schema);
  for (const part of path) {
    const next = shape?.[String(part)];
    shape = next === undefined ? undefined : shapeOf(next);
  }
  return Object.keys(shape ?? {});
}

function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | undefined {
  const { def } = schema._zod;
  if ('innerType' in def) return shapeOf(def.innerType as z.core.$ZodType);
  if ('options' in def) return (def.options as z.core.$ZodType[]).map(shapeOf).find((shape) => shape !== undefined);
  return 'shape' in def ? (def.shape as Record<string, z.core.$ZodType>) : undefined;
}

/** The one that takes the fewest changes of a letter, unless that is more than a typo. */
function nearestOf(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((key) => ({ key, distance: distance(name.toLowerCase(), key.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.max(2, Math.floor(name.length / 3)) ? best.key : undefined;
}

/** Levenshtein, row by row. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (const [column, candidate] of [...other].entries()) {
      const above = row[column + 1] ?? 0;
      const diagonal = row[column] ?? 0;
      next.push(Math.min(above + 1, (next[column] ?? 0) + 1, diagonal + (letter === candidate ? 0 : 1)));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
