/** What agents cannot decide is asked of a person, in exactly these words, or refused. */

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandLineOf, personBehind, requireAgreement, type Said, type Seal } from '../../src/mcp/person.ts';
import { factsOf } from '../../src/mcp/scope.ts';
import { loadSdk, type ServerContext } from '../../src/mcp/sdk.ts';
import { create } from '../../src/operations/create.ts';
import { exec } from '../../src/operations/exec.ts';
import { rounds } from '../support/random.ts';

const sdk = await loadSdk();
const facts = factsOf(create, { environment: undefined });
if (facts === undefined) throw new Error('create is offered');

const seal: Seal = sdk.createRequestStateCodec({ key: 'for tests only, and thirty-two bytes long' });
const asker = { inputRequired: sdk.inputRequired, seal };

/** A call, or the same call again with what was answered and the state that went with the question. */
const request = (inputResponses?: Readonly<Record<string, unknown>>, state?: Said) =>
  ({ mcpReq: { inputResponses, requestState: () => state } }) as unknown as ServerContext;

describe('a person', () => {
  it('is asked once for each text, and a yes is good for that text only', async () => {
    const first = personBehind(request(), asker, { elicitation: {} });
    expect(await first.confirm?.('mount /data', 'Do you agree?')).toBe(false);
    const question = await first.question();
    const [key = ''] = Object.keys(question?.inputRequests ?? {});
    expect(JSON.stringify(question)).toContain('mount /data');
    const yes = { [key]: { action: 'accept', content: { agree: true } } };
    const second = personBehind(request(yes), asker, { elicitation: {} });
    expect(await second.confirm?.('mount /data', 'Do you agree?')).toBe(true);
    expect(await second.question()).toBeUndefined();
    expect(await second.confirm?.('mount /etc', 'Do you agree?')).toBe(false);
    // The next question carries what was said to the first.
    const next = await second.question();
    const state = await seal.verify(next?.requestState ?? '', request());
    const third = personBehind(request({}, state), asker, { elicitation: {} });
    expect(await third.confirm?.('mount /data', 'Do you agree?')).toBe(true);
    expect(await third.confirm?.('mount /etc', 'Do you agree?')).toBe(false);
  });

  it.each([
    { action: 'accept', content: {} },
    { action: 'accept', content: { agree: 'true' } },
    { action: 'accept', content: { agree: false } },
    { action: 'decline', content: { agree: true } },
    { action: 'cancel' },
    null,
    'yes',
  ])('does not agree with %j', async (answer) => {
    const asked = personBehind(request(), asker, { elicitation: {} });
    await asked.confirm?.('text', 'Do you agree?');
    const [key = ''] = Object.keys((await asked.question())?.inputRequests ?? {});
    const person = personBehind(request({ [key]: answer }), asker, { elicitation: {} });
    expect(await person.confirm?.('text', 'Do you agree?')).toBe(false);
  });

  it('cannot be asked by a client that shows no forms', () => {
    expect(personBehind(request(), asker, undefined).confirm).toBeUndefined();
    expect(personBehind(request(), asker, {}).confirm).toBeUndefined();
    expect(personBehind(request(), asker, { elicitation: { url: {} } }).confirm).toBeUndefined();
    expect(personBehind(request(), asker, { elicitation: { form: {} } }).confirm).toBeDefined();
  });

  it('sees what a terminal would obey, and not its effect', async () => {
    const person = personBehind(request(), asker, { elicitation: {} });
    await person.confirm?.('mount /data\x1b[2K\u202e', 'Do you agree?');
    expect(JSON.stringify(await person.question())).toContain('/data^[[2K<U+202E>');
  });
});

describe('an input that takes a person', () => {
  const call = (given: Readonly<Record<string, unknown>>) => ({ given, input: create.input.parse(given) });

  it('is refused with the command for the person, where nobody can be asked', async () => {
    await expect(
      requireAgreement(create, facts, call({ name: 'x', mount: ['/my data:/d'], network: 'open' }), undefined),
    ).rejects.toMatchObject({
      code: 'person-needed',
      hint: expect.stringContaining("coppice create x --network open --mount '/my data:/d'"),
      data: { inputs: ['network', 'mount'] },
    });
  });

  it('is not asked for where it gives nothing away', async () => {
    const nobody = async () => {
      throw new Error('was asked');
    };
    await requireAgreement(create, facts, call({ name: 'x', network: 'none', mount: [], allowRoot: false }), nobody);
  });

  it('is given after a yes', async () => {
    const texts: string[] = [];
    const agrees = async (text: string) => texts.push(text) > 0;
    await requireAgreement(create, facts, call({ secret: ['TOKEN=env:TOKEN'] }), agrees);
    expect(texts[0]).toContain('coppice create --secret TOKEN=env:TOKEN');
    await expect(
      requireAgreement(create, facts, call({ secret: ['TOKEN=env:TOKEN'] }), async () => false),
    ).rejects.toMatchObject({ code: 'not-agreed' });
  });
});

it('writes a command that a shell reads as it is meant', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'))), (words) => {
      const line = commandLineOf(exec, { command: ['x', ...words] });
      const read = execFileSync('sh', ['-c', `coppice() { printf '%s\\0' "$@"; }; ${line}`], { encoding: 'utf8' });
      expect(read.split('\0').slice(0, -1)).toEqual(['exec', '--', 'x', ...words]);
    }),
    { numRuns: rounds(20) },
  );
});
