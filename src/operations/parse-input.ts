/** Checks what a surface hands to an operation, and says what is wrong in the words of that surface. */
import { CoppiceError } from '../domain/error.ts';
import type { AnyOperation } from './operation.ts';
import { type Field, fieldsOf } from './shape.ts';

export function parseInput(
  operation: AnyOperation,
  given: Readonly<Record<string, unknown>>,
  label: (field: Field) => string,
) {
  const parsed = operation.input.safeParse(given);
  if (parsed.success) return parsed.data;
  const fields = fieldsOf(operation);
  const [issue] = parsed.error.issues;
  const field = fields.find(({ key }) => key === issue?.path[0]);
  if (field === undefined) {
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'The input';
    throw new CoppiceError('usage', 'bad-input', `${unknown} is not understood by ${operation.name}.`, {
      hint: `It takes: ${fields.map(label).join(', ')}.`,
    });
  }
  const value = given[field.key];
  const problem =
    value === undefined ? `${label(field)} is missing.` : `${label(field)} cannot be ${JSON.stringify(value)}.`;
  const example =
    value === undefined && field.place === undefined
      ? `Give ${label(field)} ${field.value ?? 'VALUE'}: ${field.help}`
      : field.help;
  const hint =
    field.choices === undefined ? (listHint(field, value) ?? example) : `One of: ${field.choices.join(', ')}.`;
  throw new CoppiceError('usage', 'bad-input', problem, { hint, data: { input: field.key } });
}

/** Where one text was given for several. */
function listHint({ type, help }: Field, value: unknown): string | undefined {
  if (type !== 'list' || typeof value !== 'string') return undefined;
  return `A list of texts, such as ${JSON.stringify(value.split(' '))}: ${help}`;
}
