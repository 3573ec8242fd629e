/** One call of a tool: the operation as the command line runs it, for a client instead of a terminal. */

import { isDeepStrictEqual } from 'node:util';
import { CoppiceError } from '../domain/error.ts';
import type { AnyOperation } from '../operations/operation.ts';
import { parseInput } from '../operations/parse-input.ts';
import type { OfferedTool } from '../operations/tool.ts';
import { answerOf, failedAnswer } from './answer.ts';
import { cancelling } from './cancelling.ts';
import type { Client, OpenedContext } from './client.ts';
import type { HeldPath } from './notes.ts';
import { type Asked, personBehind, requireAgreement } from './person.ts';
import { absentInputs, impliedInputs } from './scope.ts';
import type { CallToolResult, InputRequiredResult, ServerContext } from './sdk.ts';
import { tellingOf } from './telling.ts';

type Input = Readonly<Record<string, unknown>>;

/** Never throws: what went wrong is an answer too. */
export async function callTool(
  client: Client,
  operation: AnyOperation,
  facts: OfferedTool<string>,
  given: Input,
  request: ServerContext,
): Promise<CallToolResult | InputRequiredResult> {
  client.changes.follow();
  const telling = tellingOf(request);
  const cancelled = cancelling(request.mcpReq.signal, client.gone, telling);
  const person = personBehind(request, client, client.capabilities(request));
  const context = client.open({
    report: telling.report,
    // Its events are in the answer of an operation that agents get.
    emit: () => undefined,
    signal: cancelled.signal,
    streams: cancelled.streams,
    ...(person.confirm === undefined ? {} : { confirm: person.confirm }),
  });
  let input: Input = {};
  try {
    const asked = inputOf(client, operation, facts, given);
    input = asked.input;
    await requireAgreement(operation, facts, asked, person.confirm);
    const output: object = await operation.run(context, input);
    const notes = await newsOf(client, context, { ...input, ...output });
    return answerOf(operation, output, { narration: telling.narration, notes });
  } catch (error) {
    const question = await person.question();
    if (question !== undefined) return question;
    const notes = await newsOf(client, context, input);
    return failedAnswer(error, { narration: telling.narration, notes });
  } finally {
    cancelled.end();
    await Promise.all([telling.end(), context.close()]);
  }
}

/** Throws `bad-input` (kind `usage`), as the command line does for its options. */
function inputOf({ scope }: Client, operation: AnyOperation, facts: OfferedTool<string>, given: Input): Asked {
  const absent = absentInputs(operation, facts, scope);
  const implied = scope.environment === undefined ? {} : impliedInputs(operation, scope.environment);
  const wrong = Object.keys(given).find((key) => absent.has(key) && !isDeepStrictEqual(given[key], implied[key]));
  if (wrong !== undefined) throw notGiven(operation, facts, wrong, scope.environment);
  const all = { ...facts.defaults, ...given, ...implied };
  return { given: all, input: parseInput(operation, all, ({ key }) => key) as Input };
}

function notGiven(
  { name }: AnyOperation,
  facts: OfferedTool<string>,
  key: string,
  bound: string | undefined,
): CoppiceError {
  const why = facts.without?.[key] ?? `this server is bound to the environment ${bound}`;
  return new CoppiceError('usage', 'bad-input', `${name} has no ${key} here: ${why}.`, {
    hint: `Leave ${key} out.`,
    data: { input: key },
  });
}

/** What came up for the environments that a call was about. That it cannot be found out fails no call. */
async function newsOf(client: Client, context: OpenedContext, about: Input): Promise<readonly string[]> {
  const { name, names, held } = about as { name?: unknown; names?: unknown; held?: unknown };
  const all = [name, ...(Array.isArray(names) ? names : [])].filter((each) => typeof each === 'string');
  if (all.length === 0) return [];
  try {
    const { notes, moved } = await client.notes.look(await context.workplace(), all);
    client.changes.moved(moved);
    const heldNow = Array.isArray(held) ? (held as HeldPath[]) : undefined;
    return [...notes, ...all.flatMap((each) => client.notes.held(each, each === name ? heldNow : undefined))];
  } catch (error) {
    client.report(`The conflicts of ${all.join(', ')} are not known: ${String(error)}`);
    return [];
  }
}
