/** What a call says while it runs reaches the client in few messages, however much it says. */
import { once } from 'node:events';
import { expect, it } from 'vitest';
import type { ServerContext } from '../../src/mcp/sdk.ts';
import { tellingOf } from '../../src/mcp/telling.ts';

interface Sent {
  readonly method: string;
  readonly params: { readonly progress: number; readonly message?: string };
}

function call(token: string | undefined) {
  const sent: Sent[] = [];
  const logged: unknown[] = [];
  const mcpReq = {
    ...(token === undefined ? {} : { _meta: { progressToken: token } }),
    notify: async (notification: Sent) => void sent.push(notification),
    log: async (_level: string, data: unknown) => void logged.push(data),
  };
  return { telling: tellingOf({ mcpReq: mcpReq as unknown as ServerContext['mcpReq'] }), sent, logged };
}

it('sends what was said as progress that grows, and the last of it before the end', async () => {
  const { telling, sent, logged } = call('token');
  telling.report('Making it');
  const output = telling.output();
  const euro = Buffer.from('€\n');
  output.write(euro.subarray(0, 1));
  output.end(euro.subarray(1));
  await once(output, 'finish');
  await telling.end();
  expect(sent.map(({ params }) => params.message).join('')).toBe('Making it\n€\n');
  const progress = sent.map(({ params }) => params.progress);
  expect(progress).toEqual(progress.toSorted((left, right) => left - right));
  expect(telling.narration).toEqual(['Making it']);
  expect(logged).toEqual([]);
});

it('sends of a flood the end only, and nothing that a terminal would obey', async () => {
  const { telling, sent } = call('token');
  const output = telling.output();
  for (let chunk = 0; chunk < 1000; chunk++) output.write(Buffer.from(`${'x'.repeat(999)}\n`));
  output.end('\x1b[31mthe end\n');
  await once(output, 'finish');
  await telling.end();
  const text = sent.map(({ params }) => params.message).join('');
  expect(text.length).toBeLessThan(10_000);
  expect(text.endsWith('^[[31mthe end\n')).toBe(true);
});

it('logs where the client did not ask for progress, and says nothing where there is nothing', async () => {
  const { telling, sent, logged } = call(undefined);
  telling.report('Making it');
  await telling.end();
  expect(logged).toEqual(['Making it\n']);
  const silent = call('token');
  await silent.telling.end();
  expect([...sent, ...silent.sent]).toEqual([]);
});
