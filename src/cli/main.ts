#!/usr/bin/env node
/** The command line: finds the operation, runs it, prints its answer, and ends with its status. */
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { config } from 'zod/mini';
import { CoppiceError, exitStatusOf } from '../domain/error.ts';
import { openContext } from '../open.ts';
import { catalog, isOperationName, operationNames } from '../operations/catalog.ts';
import { failureOf } from '../operations/failure.ts';
import type { AnyOperation } from '../operations/operation.ts';
import { parseInput } from '../operations/parse-input.ts';
import { surroundingsOf } from '../platform/surroundings.ts';
import { version } from '../version.ts';
import { type GlobalOptions, splitArguments } from './arguments.ts';
import { commandOf, type Given } from './command.ts';
import { confirmOn } from './confirm.ts';
import { answerText, eventText, failureDocument, reportText, styleOf, wantsColour } from './output.ts';
import { callerStreams, nowhere } from './streams.ts';

// Compiling a parser takes longer than the few parses of one command.
config({ jitless: true });

async function main(argv: readonly string[]): Promise<number> {
  const colour = wantsColour(process.env, process.stdout.isTTY === true);
  let json = argv.includes('--json');
  try {
    const { globals, words, rest } = splitArguments(argv);
    json = globals.json;
    let status = 0;
    const program = await programFor(words, rest, async (operation, given) => {
      status = await runOperation(operation, given, globals, colour);
    });
    await program.parseAsync([...words], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const failure = failureOf(error, styleOf(wantsColour(process.env, process.stderr.isTTY === true)));
    if (json) process.stdout.write(failureDocument(failure));
    process.stderr.write(failure.text);
    return failure.status;
  }
}

/** Only the operation that is asked for is loaded; all of them for help. */
async function programFor(
  words: readonly string[],
  rest: readonly string[],
  run: (operation: AnyOperation, given: Given) => Promise<void>,
): Promise<Command> {
  const program = new Command('coppice')
    .description('Every coding agent its own environment: a git branch, a worktree and a container, bound together.')
    .version(version, '--version', 'Print the version.')
    .option('-C <DIR>', 'Run as if started in DIR.')
    .option('--json', 'One JSON document on stdout, with a versioned schema.')
    .helpOption('-h, --help', 'Show this help.')
    .helpCommand('help [COMMAND]', 'Show help for a command.')
    .addHelpText('after', exitStatuses)
    .showSuggestionAfterError()
    .exitOverride();
  const [first = ''] = words;
  const names = isOperationName(first) ? [first] : operationNames;
  for (const name of names) {
    const operation: AnyOperation = await catalog[name]();
    const command = commandOf(operation, rest, (given) => run(operation, given));
    command.helpOption('-h, --help', 'Show this help.').exitOverride();
    command.option('--json', 'One JSON document on stdout.');
    program.addCommand(command);
  }
  return program;
}

const exitStatuses = `
Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 unavailable (engine, network),
6 refused to protect work, 70 a bug, 130 interrupted. exec passes the command's own status through.`;

async function runOperation(
  operation: AnyOperation,
  given: Given,
  globals: GlobalOptions,
  colour: boolean,
): Promise<number> {
  const input = parseInput(operation, given, (field) =>
    field.place === undefined ? field.option : (field.value ?? field.key),
  );
  const interrupted = new AbortController();
  // With --json a command's output is part of the answer, and stdout is that one document.
  const speaks = operation.speaks?.(input) ?? false;
  const streams =
    globals.json && !speaks
      ? callerStreams(process.stdin, nowhere(), nowhere())
      : callerStreams(process.stdin, process.stdout, process.stderr);
  const onSignal = (name: NodeJS.Signals) => {
    // A command that runs inside gets the signal itself; otherwise we end, and undo what was begun.
    if (process.listenerCount(name) === 1) interrupted.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const surroundings = surroundingsOf(globals.directory ?? process.cwd(), process.env);
  const style = styleOf(colour);
  const context = openContext(surroundings, {
    emit: (event) => void process.stdout.write(eventText(operation, event, globals.json, style)),
    report: (message) => void process.stderr.write(reportText(message)),
    signal: interrupted.signal,
    // Not argv[1]: npm and npx start us through a link.
    program: [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)],
    streams,
    ...(process.stdin.isTTY && process.stderr.isTTY && !globals.json
      ? { confirm: confirmOn(process.stdin, process.stderr) }
      : {}),
  });
  try {
    const output = await operation.run(context, input);
    const streamed = speaks || (operation.streams?.(input) ?? operation.renderEvent !== undefined);
    if (streamed) return interrupted.signal.aborted ? exitStatusOf.interrupted : 0;
    const text = answerText(operation, output, { json: globals.json, terminal: process.stdout.isTTY === true }, style);
    if (text !== '') await write(text);
    if (interrupted.signal.aborted) throw new CoppiceError('interrupted', 'interrupted', 'Interrupted.');
    return operation.exitStatus?.(output) ?? 0;
  } finally {
    await context.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function write(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

// A reader that went away (`| head`) is no failure of ours.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
const status = await main(process.argv.slice(2));
// Whatever still holds the loop (a stdin that was passed on, an engine's connection) has nothing more to say.
await write('');
process.exit(status);
