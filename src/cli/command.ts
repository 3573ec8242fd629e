/** Makes a commander command from an operation: its arguments, options and help. */
import { Command, Option } from 'commander';
import { CoppiceError } from '../domain/error.ts';
import type { AnyOperation } from '../operations/operation.ts';
import { type Field, fieldsOf } from '../operations/shape.ts';

/** What the command line said, as the operation's input, before it is checked. */
export type Given = Readonly<Record<string, unknown>>;

/** `rest` is what stood after `--`. */
export function commandOf(
  operation: AnyOperation,
  rest: readonly string[],
  run: (given: Given) => Promise<void>,
): Command {
  const fields = fieldsOf(operation);
  const command = new Command(operation.name).summary(operation.summary).description(descriptionOf(operation, fields));
  const positional = fields.filter(({ place }) => place === 'argument');
  for (const [index, field] of positional.entries()) {
    // After one that may be left out commander could not tell which is missing: the operation's own check says it.
    const required = field.required && positional.slice(0, index).every((before) => before.required);
    const value = field.type === 'list' ? `${field.value}...` : field.value;
    command.argument(required ? `<${value}>` : `[${value}]`, field.help);
  }
  for (const field of fields) if (field.place === undefined) command.addOption(optionOf(field));
  const restField = fields.find(({ place }) => place === 'rest');
  if (restField !== undefined) command.usage(`[options] [NAME] -- ${restField.value}…`);
  // Where a command is expected, a word too many is most often that command, and an option nobody knows one of its.
  command.allowExcessArguments(restField !== undefined).allowUnknownOption(restField !== undefined);
  command.action(async () => {
    if (restField !== undefined) refuseWords(operation, command.args, positional.length);
    const given: Record<string, unknown> = {};
    for (const [index, field] of takers(positional, command.args.length).entries()) {
      if (command.args[index] === undefined) continue;
      // Only the last can take several.
      given[field.key] = field.type === 'list' ? command.args.slice(index) : command.args[index];
    }
    const options = command.opts<Record<string, unknown>>();
    for (const field of fields) {
      const value = valueIn(options, field);
      if (value !== undefined) given[field.key] = value;
    }
    if (restField !== undefined) given[restField.key] = rest;
    await run(given);
  });
  return command;
}

/** For commander `--no-verify` is the opposite of a `verify` that is on; for an operation it is an input of its own. */
function valueIn(options: Readonly<Record<string, unknown>>, { key, option }: Field): unknown {
  const opposite = /^--no-./.test(option) ? key.charAt(2).toLowerCase() + key.slice(3) : undefined;
  return opposite === undefined || options[opposite] === undefined ? options[key] : options[opposite] === false;
}

function refuseWords(operation: AnyOperation, words: readonly string[], most: number): void {
  const unknown = words.findIndex((word) => word.startsWith('-'));
  if (unknown >= 0 && unknown <= most) {
    const name = unknown === 0 ? 'NAME' : (words[0] ?? 'NAME');
    throw new CoppiceError('usage', 'unknown-option', `${operation.name} has no option ${words[unknown]}.`, {
      hint: `\`coppice ${operation.name} --help\` lists them. What belongs to the command stands after two dashes: coppice ${operation.name} ${name} -- CMD…`,
    });
  }
  if (words.length > most) throw noDashes(operation, words);
}

function noDashes(operation: AnyOperation, [name = '', ...words]: readonly string[]): CoppiceError {
  return new CoppiceError('usage', 'no-dashes', 'The command to run stands after two dashes.', {
    hint: `coppice ${operation.name} ${name} -- ${words.join(' ')}`,
  });
}

/** With fewer words than arguments, those that may be left out are. */
function takers(positional: readonly Field[], words: number): readonly Field[] {
  const required = positional.filter((field) => field.required);
  return words <= required.length ? required : positional;
}

function descriptionOf(operation: AnyOperation, fields: readonly Field[]): string {
  const rest = fields.find(({ place }) => place === 'rest');
  const parts = [`${operation.summary}.`];
  if (operation.details !== undefined) parts.push(operation.details);
  if (rest !== undefined) parts.push(`${rest.value}: ${rest.help.replace(/\.$/, '')}, after --.`);
  return parts.join('\n\n');
}

function optionOf(field: Field): Option {
  const names = field.short === undefined ? field.option : `${field.short}, ${field.option}`;
  if (field.type === 'boolean') return new Option(names, field.help);
  const option = new Option(`${names} <${field.value ?? 'VALUE'}>`, field.help);
  if (field.type === 'list') {
    option.argParser((value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]);
  }
  if (field.choices !== undefined) option.choices(field.choices);
  return option;
}
