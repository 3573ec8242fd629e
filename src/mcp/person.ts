/**
 * What agents cannot decide: some inputs, and access to this machine, are for the person whose client it is. The client
 * shows them the question (elicitation); one that cannot gets a refusal that names the command for the person to run.
 */
import { createHash } from 'node:crypto';
import { CoppiceError } from '../domain/error.ts';
import { visible } from '../domain/terminal-text.ts';
import type { Confirm } from '../environment/access/approval.ts';
import type { AnyOperation } from '../operations/operation.ts';
import { type Field, fieldsOf } from '../operations/shape.ts';
import { type OfferedTool, whyAsked } from '../operations/tool.ts';
import type { ClientCapabilities, InputRequiredResult, RequestStateCodec, Sdk, ServerContext } from './sdk.ts';

export interface Person {
  /** Undefined where the client cannot ask anybody. */
  readonly confirm: Confirm | undefined;
  /** What has to be asked before the call can go on: it is called again with the answer. Undefined when nothing is open. */
  question(): Promise<InputRequiredResult | undefined>;
}

/** What a person said to earlier questions of the same call; the client keeps it, sealed, until the next. */
export type Said = Readonly<Record<string, boolean>>;
export type Seal = RequestStateCodec<Said>;

export function personBehind(
  { mcpReq }: Pick<ServerContext, 'mcpReq'>,
  { inputRequired, seal }: { readonly inputRequired: Sdk['inputRequired']; readonly seal: Seal },
  capabilities: ClientCapabilities | undefined,
): Person {
  const said: Record<string, boolean> = { ...mcpReq.requestState<Said>() };
  let open: { readonly key: string; readonly message: string } | undefined;
  const confirm: Confirm = async (text, question) => {
    const message = `${visible(text)}\n\n${question}`;
    // An answer is good for exactly the text that was shown.
    const key = `agreed-${createHash('sha256').update(message).digest('hex').slice(0, 32)}`;
    const answer = mcpReq.inputResponses?.[key];
    if (answer !== undefined) said[key] = isYes(answer);
    if (said[key] === undefined) open = { key, message };
    return said[key] ?? false;
  };
  return {
    confirm: canAsk(capabilities) ? confirm : undefined,
    async question() {
      if (open === undefined) return undefined;
      const elicit = inputRequired.elicit({ message: open.message, ...form });
      return inputRequired({ inputRequests: { [open.key]: elicit }, requestState: await seal.mint(said) });
    },
  };
}

const form = {
  mode: 'form' as const,
  requestedSchema: {
    type: 'object' as const,
    properties: { agree: { type: 'boolean' as const, title: 'Yes, I agree', default: false } },
    required: ['agree'],
  },
};

/** Before there were modes `elicitation: {}` meant forms. */
function canAsk(capabilities: ClientCapabilities | undefined): boolean {
  const elicitation = capabilities?.elicitation;
  if (elicitation === undefined) return false;
  return 'form' in elicitation || !('url' in elicitation);
}

function isYes(answer: unknown): boolean {
  const { action, content } = (answer ?? {}) as { action?: unknown; content?: { agree?: unknown } | null };
  return action === 'accept' && content?.agree === true;
}

export interface Asked {
  /** As it was checked, with what is the default. */
  readonly input: Readonly<Record<string, unknown>>;
  /** As the agent gave it. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** Throws `person-needed` or `not-agreed` (kind `refused`) unless a person agrees to what the input asks for. */
export async function requireAgreement(
  operation: AnyOperation,
  facts: OfferedTool<string>,
  { input, given }: Asked,
  confirm: Confirm | undefined,
): Promise<void> {
  const asked = fieldsOf(operation).flatMap((field) => {
    const ask = facts.asks?.[field.key];
    const why = ask === undefined ? undefined : whyAsked(ask, input[field.key]);
    const called = typeof ask === 'object' ? ask.called : undefined;
    return why === undefined ? [] : [{ field, why, called: called ?? field.key }];
  });
  if (asked.length === 0) return;
  const command = commandLineOf(operation, given);
  const lines = asked.map(({ called, why }) => `  ${called}: ${why}`);
  const text = [`An agent asks for`, `  ${command}`, 'which takes a person, because of', ...lines].join('\n');
  if (await confirm?.(text, 'Do you agree?')) return;
  const inputs = asked.map(({ called }) => called).join(', ');
  const reasons = [...new Set(asked.map(({ why }) => why))].join('; ');
  const data = { inputs: asked.map(({ field }) => field.key), command };
  if (confirm !== undefined) {
    throw new CoppiceError('refused', 'not-agreed', `The person did not agree to ${inputs}: ${reasons}.`, {
      hint: 'Do without, or ask them what they want instead.',
      data,
    });
  }
  throw new CoppiceError('refused', 'person-needed', `${inputs} takes a person, because ${reasons}.`, {
    hint: `Do without, or ask the person to run: ${command}`,
    data,
  });
}

/** The call as a person would type it. */
export function commandLineOf(operation: AnyOperation, input: Readonly<Record<string, unknown>>): string {
  const fields = fieldsOf(operation);
  const options = fields.filter(({ place }) => place === undefined).flatMap((field) => optionWords(field, input));
  const words = (place: Field['place']) =>
    fields.filter((field) => field.place === place).flatMap(({ key }) => texts(input[key]));
  const rest = words('rest');
  const all = [
    'coppice',
    operation.name,
    ...words('argument'),
    ...options,
    ...(rest.length > 0 ? ['--', ...rest] : []),
  ];
  return all.map(shellWord).join(' ');
}

function optionWords({ key, option, type }: Field, input: Readonly<Record<string, unknown>>): readonly string[] {
  const value = input[key];
  if (type === 'boolean') return value === true ? [option] : [];
  return texts(value).flatMap((text) => [option, text]);
}

function texts(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./^-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
